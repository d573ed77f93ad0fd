"""What the school writes to people around an incident: which letters there are, their words, and what may
stand in them. Pure; the words are marked for translation only.

A letter's text is a Django template of plain text with variables and `{% if %}`. A paragraph whose last line
is an address alone, after a line that ends with a colon, becomes a button in the mail's HTML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


def _(words: str) -> str:
    """Found by makemessages; who shows the words translates them."""
    return words


class LetterKey(StrEnum):
    ENROLLMENT = "enrollment"
    SIMPLIFIED = "simplified"
    CONFLICT = "conflict"
    MOVED = "moved"
    CANCELLED = "cancelled"
    SUBSTITUTED = "substituted"
    RESTORED = "restored"
    ALL_CLEAR = "all_clear"
    BRIEFING = "briefing"
    NEXT_STEPS = "next_steps"
    PAGE = "page"
    PAGE_TEST = "page_test"
    HAND_OVER = "hand_over"
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, kw_only=True)
class Variable:
    """meaning: for whoever edits a letter. sample: what a preview shows without an incident.

    may_be_empty: then it may stand only where `{% if name %}` has asked for it.
    """

    name: str
    meaning: str
    sample: str
    may_be_empty: bool = False


class Audience(StrEnum):
    PEOPLE = "people"
    STAFF = "staff"
    PUBLIC = "public"


@dataclass(frozen=True, kw_only=True)
class Letter:
    """required: variables without which it would not do what it is for. is_news: not needed by whoever
    gets it, who may say that no more of this kind is wanted. Public ones have no subject but a heading.
    """

    key: LetterKey
    title: str
    about: str
    audience: Audience
    subject: str
    text: str
    variables: tuple[Variable, ...]
    required: tuple[str, ...] = ()
    is_news: bool = False

    @property
    def by_name(self) -> Mapping[str, Variable]:
        return {variable.name: variable for variable in self.variables}

    @property
    def samples(self) -> Mapping[str, str]:
        return {variable.name: variable.sample for variable in self.variables}


SCHOOL = Variable(name="school", meaning=_("the school's name"), sample="Riverside School")
NAME = Variable(name="name", meaning=_("the person's name"), sample="Ada Vogel")
FEATURE = Variable(
    name="feature", meaning=_("what it is about, by its name"), sample="Teacher scheduling"
)
SINCE = Variable(
    name="since",
    meaning=_("when it began, on the reader's own clock"),
    sample="7 January 2030, 15:04",
)
SAVED = Variable(
    name="saved",
    meaning=_("what is saved for this person, in a sentence"),
    sample="What you typed for Violin for beginners is saved.",
)
INSTEAD = Variable(
    name="instead",
    meaning=_("what to do instead, in a sentence"),
    sample="You can finish your enrollment with our standard form.",
)
LINK = Variable(
    name="link",
    meaning=_("the address that goes on: the draft, or the person's courses"),
    sample="https://school.example/drafts/violin/continue/",
)
EXPECTED = Variable(
    name="expected",
    meaning=_("when the next news comes, on the reader's own clock"),
    sample="15:24",
    may_be_empty=True,
)
NEWS = Variable(
    name="news",
    meaning=_("what the sender added to this update"),
    sample="We have found the cause and are mending it.",
    may_be_empty=True,
)
STATUS = Variable(
    name="status_link",
    meaning=_("the address of the public status page"),
    sample="https://school.example/status/",
)
NUMBER = Variable(name="incident", meaning=_("the incident's number"), sample="12")
TITLE = Variable(
    name="title", meaning=_("the incident's title"), sample="Calendar: too many errors"
)
PEOPLE = (SCHOOL, NAME, FEATURE, SINCE, SAVED, INSTEAD, LINK, EXPECTED, NEWS, STATUS)
COURSE = Variable(name="course", meaning=_("the course"), sample="Violin for beginners")
TEACHER = Variable(name="teacher", meaning=_("the teacher's name"), sample="Marta Rossi")
BEFORE = Variable(
    name="before",
    meaning=_("when the lesson was to begin, on the reader's own clock"),
    sample="Monday, 7 January 2030, 15:00",
)
AFTER = Variable(
    name="after",
    meaning=_("when the lesson begins now, on the reader's own clock"),
    sample="Tuesday, 8 January 2030, 16:00",
)
LESSON = (SCHOOL, NAME, COURSE, TEACHER, BEFORE, NEWS, LINK)
CONSOLE = Variable(
    name="console_link",
    meaning=_("the address of the incident in the console"),
    sample="https://school.example/admin/rollback/incident/12/change/",
)
STATE = Variable(name="state", meaning=_("how far it is, in words"), sample="Off everywhere")
SEVERITY = Variable(
    name="severity", meaning=_("how bad it is, in words"), sample="2: a feature is off"
)
WHO = Variable(
    name="who",
    meaning=_("whom it concerns, in figures"),
    sample="1,204 people: 37 with an unfinished enrollment, 512 with a lesson, 655 had the feature.",
)
FIGURES = Variable(
    name="figures",
    meaning=_("what it has cost so far, a line for each figure"),
    sample="Enrollments finished through the original flow: 31\nMinutes the feature was off: 14",
)
NEXT = Variable(
    name="next_step",
    meaning=_("what happens next, in a sentence"),
    sample="Verification runs again in two minutes.",
)
# Whoever is on the list has no login and has not asked for it.
ON_THE_LIST = Variable(
    name="on_the_list",
    meaning=_("who put the reader on the list, and how they come off it"),
    sample="Marta Rossi put you on the management's list on 3 January 2030. Answer this mail to be "
    "taken off it.",
)
STAFF = (
    SCHOOL,
    NUMBER,
    TITLE,
    FEATURE,
    STATE,
    SEVERITY,
    SINCE,
    WHO,
    FIGURES,
    NEXT,
    CONSOLE,
    STATUS,
    ON_THE_LIST,
)
RUNBOOK = Variable(
    name="runbook_link",
    meaning=_("the address of the instructions for it"),
    sample="https://school.example/admin/runbooks/calendar/",
    may_be_empty=True,
)
ACKNOWLEDGE = Variable(
    name="acknowledge_link",
    meaning=_("the address at which the page is acknowledged"),
    sample="https://school.example/on-call/acknowledge/abc/",
)
ESCALATES = Variable(
    name="escalates",
    meaning=_("when the next one is called, on the reader's own clock"),
    sample="15:09",
    may_be_empty=True,
)
CALL = (
    SCHOOL,
    NAME,
    NUMBER,
    TITLE,
    FEATURE,
    SEVERITY,
    SINCE,
    ESCALATES,
    ACKNOWLEDGE,
    CONSOLE,
    RUNBOOK,
)
UNTIL = Variable(name="until", meaning=_("when it ends, on the reader's own clock"), sample="18:00")
PUBLIC = (SCHOOL, FEATURE, SINCE, EXPECTED, NEWS)

LETTERS: Sequence[Letter] = (
    Letter(
        key=LetterKey.ENROLLMENT,
        title=_("Enrollment affected"),
        about=_("To students who were enrolling when a feature was taken away."),
        audience=Audience.PEOPLE,
        subject=_("Your enrollment has been saved"),
        text=_(
            "Hello {{ name }},\n\n"
            "Technical update in progress. Your enrollment has been saved and you can complete it "
            "using our standard process.\n\n"
            "{{ saved }} {{ instead }}\n\n"
            "{% if news %}{{ news }}\n\n{% endif %}"
            "Go on where you stopped:\n{{ link }}\n\n"
            "Switched off since {{ since }}: {{ feature }}.\n"
            "{% if expected %}We write again by {{ expected }}.{% else %}How it stands: {{ status_link }}"
            "{% endif %}"
        ),
        variables=PEOPLE,
        required=("saved", "link"),
    ),
    Letter(
        key=LetterKey.SIMPLIFIED,
        title=_("Simplified mode"),
        about=_("To people whose pages were simplified because they had become too slow."),
        audience=Audience.PEOPLE,
        subject=_("Simplified enrollment mode active"),
        text=_(
            "Hello {{ name }},\n\n"
            "Simplified enrollment mode active. Full scheduling features will return shortly.\n\n"
            "{{ saved }} {{ instead }}\n\n"
            "{% if news %}{{ news }}\n\n{% endif %}"
            "Go on:\n{{ link }}\n\n"
            "{% if expected %}We write again by {{ expected }}.{% else %}How it stands: {{ status_link }}"
            "{% endif %}"
        ),
        variables=PEOPLE,
        required=("saved", "link"),
    ),
    Letter(
        key=LetterKey.CONFLICT,
        title=_("Conflict of lessons"),
        about=_(
            "To a student whose lessons contradict each other, from the office's conflict page."
        ),
        audience=Audience.PEOPLE,
        subject=_("About your lesson in {{ course }}"),
        text=_(
            "Hello {{ name }},\n\n"
            "we found that your lesson in {{ course }} on {{ before }} cannot take place as it is "
            "written down.\n\n"
            "{% if news %}{{ news }}\n\n{% endif %}"
            "Nothing is lost, and the place in your course is yours.\n\n"
            "Your lessons:\n{{ link }}"
        ),
        variables=LESSON,
        required=("before", "link"),
    ),
    Letter(
        key=LetterKey.MOVED,
        title=_("Lesson moved"),
        about=_("To a student whose lesson was moved."),
        audience=Audience.PEOPLE,
        subject=_("Your lesson in {{ course }} was moved"),
        text=_(
            "Hello {{ name }},\n\n"
            "your lesson in {{ course }} with {{ teacher }} on {{ before }} was moved. It begins now "
            "on {{ after }}.\n\n"
            "{% if news %}{{ news }}\n\n{% endif %}"
            "Your lessons:\n{{ link }}"
        ),
        variables=(*LESSON, AFTER),
        required=("after", "link"),
    ),
    Letter(
        key=LetterKey.CANCELLED,
        title=_("Lesson cancelled"),
        about=_("To a student whose lesson was cancelled."),
        audience=Audience.PEOPLE,
        subject=_("Your lesson in {{ course }} is cancelled"),
        text=_(
            "Hello {{ name }},\n\n"
            "your lesson in {{ course }} with {{ teacher }} on {{ before }} is cancelled.\n\n"
            "{% if news %}{{ news }}\n\n{% endif %}"
            "Your lessons:\n{{ link }}"
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
        text=_(
            "Hello {{ name }},\n\n"
            "your lesson in {{ course }} on {{ before }} takes place, with {{ teacher }}.\n\n"
            "{% if news %}{{ news }}\n\n{% endif %}"
            "Your lessons:\n{{ link }}"
        ),
        variables=LESSON,
        required=("before", "teacher", "link"),
    ),
    Letter(
        key=LetterKey.RESTORED,
        title=_("Feature restored"),
        about=_("To the people concerned, when what was taken away is back."),
        audience=Audience.PEOPLE,
        subject=_("{{ feature }}: back again"),
        text=_(
            "Hello {{ name }},\n\n"
            "what was switched off is back: {{ feature }}.\n\n"
            "{{ saved }}\n\n"
            "{% if news %}{{ news }}\n\n{% endif %}"
            "Go on:\n{{ link }}"
        ),
        variables=PEOPLE,
        required=("feature", "link"),
        is_news=True,
    ),
    Letter(
        key=LetterKey.ALL_CLEAR,
        title=_("All clear"),
        about=_("To the people concerned, when it is over: what became of their data."),
        audience=Audience.PEOPLE,
        subject=_("All clear: everything works again"),
        text=_(
            "Hello {{ name }},\n\n"
            "the trouble that began on {{ since }} is over.\n\n"
            "Your data: we compared everything that was stored before and after. {{ saved }}\n\n"
            "{% if news %}{{ news }}\n\n{% endif %}"
            "Your courses:\n{{ link }}"
        ),
        variables=PEOPLE,
        required=("saved", "link"),
    ),
    Letter(
        key=LetterKey.BRIEFING,
        title=_("Management briefing"),
        about=_("To the management's list, at each change of an incident's state. One page."),
        audience=Audience.STAFF,
        subject=_("Incident {{ incident }}, {{ state }}: {{ title }}"),
        text=_(
            "{{ title }}\n\n"
            "What: {{ feature }}. Severity {{ severity }}.\n"
            "State: {{ state }}.\n"
            "Since: {{ since }}.\n"
            "Who: {{ who }}\n\n"
            "{{ figures }}\n\n"
            "Next: {{ next_step }}\n\n"
            "The incident:\n{{ console_link }}\n\n"
            "What the public reads: {{ status_link }}\n\n"
            "{{ on_the_list }}"
        ),
        variables=STAFF,
        required=("state", "since", "who", "next_step", "on_the_list"),
    ),
    Letter(
        key=LetterKey.NEXT_STEPS,
        title=_("Next steps"),
        about=_("To the management's list, when an incident was reviewed."),
        audience=Audience.STAFF,
        subject=_("After incident {{ incident }}: next steps"),
        text=_(
            "{{ title }}\n\n"
            "{{ figures }}\n\n"
            "Cause: {{ cause }}\n\n"
            "What we learned: {{ lessons }}\n\n"
            "What is to be done:\n{{ actions }}\n\n"
            "The whole report:\n{{ console_link }}\n\n"
            "{{ on_the_list }}"
        ),
        variables=(
            *STAFF,
            Variable(name="cause", meaning=_("the root cause"), sample="An index was missing."),
            Variable(
                name="lessons",
                meaning=_("what was learned"),
                sample="The load test did not know about holidays.",
            ),
            Variable(
                name="actions",
                meaning=_("what is to be done, a line for each"),
                sample="- Load test with holidays (Marta Rossi, until 20 January)",
            ),
        ),
        required=("cause", "actions", "on_the_list"),
    ),
    Letter(
        key=LetterKey.PAGE,
        title=_("On-call page"),
        about=_("To whoever is on call, when an incident needs somebody now."),
        audience=Audience.STAFF,
        subject=_("On call: {{ title }}"),
        text=_(
            "{{ name }},\n\n"
            "incident {{ incident }} needs you: {{ title }}.\n"
            "Severity {{ severity }}, since {{ since }}. It is about {{ feature }}.\n\n"
            "I am at it:\n{{ acknowledge_link }}\n\n"
            "{% if escalates %}If nobody acknowledges by {{ escalates }}, the next one is called.\n\n"
            "{% endif %}"
            "The incident: {{ console_link }}\n"
            "{% if runbook_link %}What to do: {{ runbook_link }}{% endif %}"
        ),
        variables=CALL,
        required=("title", "acknowledge_link", "console_link"),
    ),
    Letter(
        key=LetterKey.PAGE_TEST,
        title=_("Weekly test page"),
        about=_("To whoever is on call, once a week: does a page arrive?"),
        audience=Audience.STAFF,
        subject=_("On call: this is the weekly test"),
        text=_(
            "{{ name }},\n\n"
            "this is the weekly test of the on-call pages. Nothing is wrong; say that it has arrived.\n\n"
            "It has arrived:\n{{ acknowledge_link }}"
        ),
        variables=(SCHOOL, NAME, ESCALATES, ACKNOWLEDGE),
        required=("acknowledge_link",),
    ),
    Letter(
        key=LetterKey.HAND_OVER,
        title=_("On-call hand-over"),
        about=_("To whoever's shift begins: who had it before, and what is open."),
        audience=Audience.STAFF,
        subject=_("You are on call until {{ until }}"),
        text=_(
            "{{ name }},\n\n"
            "your shift has begun and lasts until {{ until }}.{% if previous %} Before you it was "
            "{{ previous }}.{% endif %}\n\n"
            "{% if open %}Open now:\n{{ open }}{% else %}No incident is open.{% endif %}\n\n"
            "The console:\n{{ console_link }}"
        ),
        variables=(
            SCHOOL,
            NAME,
            UNTIL,
            CONSOLE,
            Variable(
                name="previous",
                meaning=_("who was on call before"),
                sample="Jonas Weber",
                may_be_empty=True,
            ),
            Variable(
                name="open",
                meaning=_("the open incidents, a line for each"),
                sample="- 12: Calendar: too many errors",
                may_be_empty=True,
            ),
        ),
        required=("until",),
    ),
    Letter(
        key=LetterKey.INVESTIGATING,
        title=_("Public update: investigating"),
        about=_("On the status page and in the banner: something is wrong, and we look."),
        audience=Audience.PUBLIC,
        subject=_("{{ feature }}: we are looking into a problem"),
        text=_(
            "Since {{ since }} something is not as it should be: {{ feature }}. You can enroll and see "
            "your lessons as always; what you have typed is saved."
            "{% if news %} {{ news }}{% endif %}"
            "{% if expected %} We say more by {{ expected }}.{% endif %}"
        ),
        variables=PUBLIC,
        required=("feature",),
    ),
    Letter(
        key=LetterKey.IDENTIFIED,
        title=_("Public update: identified"),
        about=_("On the status page and in the banner: we know what it is."),
        audience=Audience.PUBLIC,
        subject=_("{{ feature }}: we have found the problem"),
        text=_(
            "We know what is wrong with {{ feature }} and are mending it. You can enroll and see your "
            "lessons as always; what you have typed is saved."
            "{% if news %} {{ news }}{% endif %}"
            "{% if expected %} We say more by {{ expected }}.{% endif %}"
        ),
        variables=PUBLIC,
        required=("feature",),
    ),
    Letter(
        key=LetterKey.MONITORING,
        title=_("Public update: monitoring"),
        about=_("On the status page and in the banner: it is contained, and we watch."),
        audience=Audience.PUBLIC,
        subject=_("{{ feature }}: contained"),
        text=_(
            "The problem is contained, and everything that is on was verified. Not back yet: {{ feature }}."
            "{% if news %} {{ news }}{% endif %}"
            "{% if expected %} We say more by {{ expected }}.{% endif %}"
        ),
        variables=PUBLIC,
        required=("feature",),
    ),
    Letter(
        key=LetterKey.RESOLVED,
        title=_("Public update: resolved"),
        about=_("On the status page: it is over."),
        audience=Audience.PUBLIC,
        subject=_("{{ feature }}: resolved"),
        text=_(
            "What began on {{ since }} is over. Nothing of what was saved is lost."
            "{% if news %} {{ news }}{% endif %}"
        ),
        variables=PUBLIC,
        required=("since",),
    ),
    Letter(
        key=LetterKey.MAINTENANCE,
        title=_("Planned maintenance"),
        about=_("On the status page and in the banner, ahead of planned work."),
        audience=Audience.PUBLIC,
        subject=_("Planned maintenance: {{ feature }}"),
        text=_(
            "From {{ since }} to {{ until }} we work on: {{ feature }}. You can enroll and see your lessons "
            "as always."
            "{% if news %} {{ news }}{% endif %}"
        ),
        variables=(SCHOOL, FEATURE, SINCE, UNTIL, NEWS),
        required=("since", "until"),
    ),
)
BY_KEY: Mapping[str, Letter] = {letter.key: letter for letter in LETTERS}
