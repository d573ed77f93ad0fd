"""Letters to students and teachers: plain, warm, and no promise of a time that nobody holds. Pure.

`since`, `expected` and the like are an hour, or a date with an hour: “since {{ since }}” reads well with
both, “on {{ since }}” does not. `feature` may be several: no verb agrees with it.
"""

from rollback.domain.incidents import IncidentState
from rollback.domain.letter import Audience, Letter, LetterKey
from rollback.domain.letter_variables import AFTER, LESSON, PEOPLE

State = IncidentState


def _(words: str) -> str:
    """Found by makemessages; who shows the words translates them."""
    return words


# The specification's sentences for S1 and S3, word for word: on the pages and in the letters.
TECHNICAL_UPDATE = _(
    "Technical update in progress. Your enrollment has been saved and you can complete it "
    "using our standard process."
)
SIMPLIFIED_MODE = _(
    "Simplified enrollment mode active. Full scheduling features will return shortly."
)

# Translators: name is the person's name.
HELLO = _("Hello {{ name }},")
# What the sender adds, in whatever language it was written for.
NEWS = "{% if news %}{{ news }}{% endif %}"
# Translators: expected is an hour or a date with an hour; status_link an address.
NEXT_NEWS = _(
    "{% if expected %}You hear from us again by {{ expected }}. {% endif %}"
    "How it stands just now: {{ status_link }}"
)
# Translators: link is an address; the words before it become a button.
YOUR_LESSONS = _("Your lessons:\n{{ link }}")
ANSWER = _("If that does not suit you, please tell your teacher, or the office.")
OFF = (State.OPEN, State.ACKNOWLEDGED, State.CONTAINED, State.VERIFIED)
OVER = (State.RESOLVED, State.REVIEWED)

LETTERS_TO_PEOPLE = (
    Letter(
        key=LetterKey.ENROLLMENT,
        title=_("Enrollment affected"),
        about=_("To students who were enrolling when a feature was taken away."),
        audience=Audience.PEOPLE,
        subject=_("Your enrollment has been saved"),
        paragraphs=(
            HELLO,
            TECHNICAL_UPDATE,
            "{{ saved }} {{ instead }}",
            NEWS,
            # Translators: link is an address; the words before it become a button.
            _("Go on where you stopped:\n{{ link }}"),
            # Translators: feature is one name or several; since is an hour or a date with an hour.
            _(
                "Switched off since {{ since }}: {{ feature }}. Your courses, your lessons and your "
                "messages are there as always."
            ),
            NEXT_NEWS,
        ),
        variables=PEOPLE,
        required=("saved", "link"),
        states=OFF,
    ),
    Letter(
        key=LetterKey.SIMPLIFIED,
        title=_("Simplified mode"),
        about=_("To people whose pages were simplified because they had become too slow."),
        audience=Audience.PEOPLE,
        subject=_("Simplified enrollment mode active"),
        paragraphs=(
            HELLO,
            SIMPLIFIED_MODE,
            "{{ saved }} {{ instead }}",
            NEWS,
            # Translators: link is an address; the words before it become a button.
            _("Go on here:\n{{ link }}"),
            # Translators: feature is one name or several; since is an hour or a date with an hour.
            _(
                "Some pages had become too slow, so they are simpler since {{ since }}. This is about: "
                "{{ feature }}."
            ),
            NEXT_NEWS,
        ),
        variables=PEOPLE,
        required=("saved", "link"),
        states=OFF,
    ),
    Letter(
        key=LetterKey.CONFLICT,
        title=_("Conflict of lessons"),
        about=_(
            "To a student whose lessons contradict each other, from the office's conflict page."
        ),
        audience=Audience.PEOPLE,
        subject=_("About your lesson in {{ course }}"),
        paragraphs=(
            HELLO,
            # Translators: course is its title, before a date with an hour.
            _(
                "your lesson in {{ course }} on {{ before }} cannot take place as it is written down: "
                "another lesson or another date is in its way. We are sorry. Your place in the course "
                "stays yours."
            ),
            NEWS,
            _("We write to you as soon as it is settled. If a time suits you best, tell us."),
            YOUR_LESSONS,
        ),
        variables=LESSON,
        required=("before", "link"),
    ),
    Letter(
        key=LetterKey.MOVED,
        title=_("Lesson moved"),
        about=_("To a student whose lesson was moved."),
        audience=Audience.PEOPLE,
        subject=_("Your lesson in {{ course }} has moved"),
        paragraphs=(
            HELLO,
            # Translators: course is its title, before and after are dates with an hour.
            _(
                "your lesson in {{ course }} on {{ before }} has moved: it is now on {{ after }}, with "
                "{{ teacher }}."
            ),
            NEWS,
            ANSWER,
            YOUR_LESSONS,
        ),
        variables=(*LESSON, AFTER),
        required=("before", "after", "link"),
    ),
    Letter(
        key=LetterKey.CANCELLED,
        title=_("Lesson cancelled"),
        about=_("To a student whose lesson was cancelled."),
        audience=Audience.PEOPLE,
        subject=_("Your lesson in {{ course }} is cancelled"),
        paragraphs=(
            HELLO,
            # Translators: course is its title, before a date with an hour.
            _("your lesson in {{ course }} on {{ before }} is cancelled. We are sorry."),
            NEWS,
            YOUR_LESSONS,
        ),
        variables=LESSON,
        required=("before", "link"),
    ),
    Letter(
        key=LetterKey.SUBSTITUTED,
        title=_("Lesson with another teacher"),
        about=_("To a student whose lesson another teacher gives."),
        audience=Audience.PEOPLE,
        subject=_("Another teacher gives your lesson in {{ course }}"),
        paragraphs=(
            HELLO,
            # Translators: course is its title, before a date with an hour.
            _(
                "your lesson in {{ course }} on {{ before }} takes place as planned. It will be given by "
                "{{ teacher }}."
            ),
            NEWS,
            ANSWER,
            YOUR_LESSONS,
        ),
        variables=LESSON,
        required=("before", "teacher", "link"),
    ),
    Letter(
        key=LetterKey.RESTORED,
        title=_("Feature restored"),
        about=_("To the people concerned, when what was taken away is back."),
        audience=Audience.PEOPLE,
        # Translators: feature is one name or several.
        subject=_("Back again: {{ feature }}"),
        paragraphs=(
            HELLO,
            # Translators: feature is one name or several; since is an hour or a date with an hour.
            _("what was switched off since {{ since }} is back: {{ feature }}."),
            "{{ saved }}",
            NEWS,
            # Translators: link is an address; the words before it become a button.
            _("Go on here:\n{{ link }}"),
        ),
        variables=PEOPLE,
        required=("feature", "link"),
        states=(State.VERIFIED, *OVER),
        is_news=True,
    ),
    Letter(
        key=LetterKey.ALL_CLEAR,
        title=_("All clear"),
        about=_("To the people concerned, when it is over: what became of their data."),
        audience=Audience.PEOPLE,
        subject=_("All clear: what was wrong is over"),
        paragraphs=(
            HELLO,
            # Translators: feature is one name or several; since is an hour or a date with an hour.
            _(
                "since {{ since }} something was not as it should be: {{ feature }}. It is over. Thank "
                "you for your patience."
            ),
            # Translators: saved is a sentence.
            _(
                "Your data: {{ saved }} If anything looks different from what you remember, tell us, "
                "and we look at it with you."
            ),
            NEWS,
            # Translators: link is an address; the words before it become a button.
            _("To your courses:\n{{ link }}"),
        ),
        variables=PEOPLE,
        required=("saved", "link"),
        states=OVER,
    ),
)
