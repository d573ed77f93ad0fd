"""Letters to the management and to whoever is on call: facts, figures, and where to go on. Pure."""

from rollback.domain.incidents import IncidentState
from rollback.domain.letter import Audience, Letter, LetterKey
from rollback.domain.letter_variables import (
    ACKNOWLEDGE,
    ACTIONS,
    CALL,
    CAUSE,
    CONSOLE,
    ESCALATES,
    LESSONS_LEARNED,
    NAME,
    OPEN,
    PREVIOUS,
    SCHOOL,
    SINCE,
    STAFF,
    UNTIL,
)

State = IncidentState


def _(words: str) -> str:
    """Found by makemessages; who shows the words translates them."""
    return words


LETTERS_TO_STAFF = (
    Letter(
        key=LetterKey.BRIEFING,
        title=_("Management briefing"),
        about=_("To the management's list, at each change of an incident's state. One page."),
        audience=Audience.STAFF,
        # Translators: incident is its number.
        subject=_("Incident {{ incident }}, {{ state }}: {{ title }}"),
        paragraphs=(
            "{{ title }}",
            # Translators: each line is a heading of a word and a fact.
            _(
                "What: {{ feature }}\nSeverity: {{ severity }}\nState: {{ state }}\nSince: {{ since }}\n"
                "Who: {{ who }}"
            ),
            "{{ figures }}",
            # Translators: next_step is a sentence.
            _("What happens next: {{ next_step }}"),
            # Translators: console_link is an address; the words before it become a button.
            _("To the incident:\n{{ console_link }}"),
            # Translators: status_link is an address.
            _("What the public reads: {{ status_link }}"),
            "{{ on_the_list }}",
        ),
        variables=STAFF,
        required=("state", "since", "who", "next_step", "on_the_list"),
        states=tuple(State),
    ),
    Letter(
        key=LetterKey.NEXT_STEPS,
        title=_("Next steps"),
        about=_("To the management's list, when an incident was reviewed."),
        audience=Audience.STAFF,
        # Translators: incident is its number.
        subject=_("After incident {{ incident }}: next steps"),
        paragraphs=(
            "{{ title }}",
            "{{ figures }}",
            # Translators: cause is a sentence, or several.
            _("Cause: {{ cause }}"),
            # Translators: lessons is a sentence, or several.
            _("What we learned: {{ lessons }}"),
            # Translators: actions has a line for each thing to do.
            _("What is to be done:\n{{ actions }}"),
            # Translators: console_link is an address; the words before it become a button.
            _("To the whole report:\n{{ console_link }}"),
            "{{ on_the_list }}",
        ),
        variables=(*STAFF, CAUSE, LESSONS_LEARNED, ACTIONS),
        required=("cause", "actions", "on_the_list"),
        states=(State.REVIEWED,),
    ),
    Letter(
        key=LetterKey.PAGE,
        title=_("On-call page"),
        about=_("To whoever is on call, when an incident needs somebody now."),
        audience=Audience.STAFF,
        subject=_("On call: {{ title }}"),
        paragraphs=(
            # Translators: name is the person's name.
            _("Hello {{ name }},"),
            # Translators: incident is its number, title its title.
            _("incident {{ incident }} needs you: {{ title }}"),
            # Translators: each line is a heading of a word and a fact.
            _("Severity: {{ severity }}\nSince: {{ since }}\nAbout: {{ feature }}"),
            # Translators: acknowledge_link is an address; the words before it become a button.
            _("I am at it:\n{{ acknowledge_link }}"),
            # Translators: escalates is an hour or a date with an hour.
            _(
                "{% if escalates %}If nobody says so by {{ escalates }}, the next one is called.{% endif %}"
            ),
            # Translators: console_link and runbook_link are addresses.
            _(
                "The incident: {{ console_link }}"
                "{% if runbook_link %}\nWhat to do: {{ runbook_link }}{% endif %}"
            ),
        ),
        variables=CALL,
        required=("title", "acknowledge_link", "console_link"),
        states=(State.OPEN, State.ACKNOWLEDGED, State.CONTAINED, State.VERIFIED),
    ),
    Letter(
        key=LetterKey.PAGE_TEST,
        title=_("Weekly test page"),
        about=_("To whoever is on call, once a week: does a page arrive?"),
        audience=Audience.STAFF,
        subject=_("On call: this is the weekly test"),
        paragraphs=(
            # Translators: name is the person's name.
            _("Hello {{ name }},"),
            _(
                "this is the weekly test of the on-call pages. Nothing is wrong. Please say that it has "
                "arrived."
            ),
            # Translators: acknowledge_link is an address; the words before it become a button.
            _("It has arrived:\n{{ acknowledge_link }}"),
            # Translators: escalates is an hour or a date with an hour.
            _(
                "{% if escalates %}If nobody says so by {{ escalates }}, the next one is called.{% endif %}"
            ),
        ),
        variables=(SCHOOL, NAME, ESCALATES, ACKNOWLEDGE),
        required=("acknowledge_link",),
    ),
    Letter(
        key=LetterKey.TEST_UNANSWERED,
        title=_("Weekly test page, unanswered"),
        about=_("To everybody on call, when nobody has answered the weekly test within a day."),
        audience=Audience.STAFF,
        subject=_("On call: nobody has answered the weekly test"),
        paragraphs=(
            # Translators: name is the person's name.
            _("Hello {{ name }},"),
            # Translators: since is an hour or a date with an hour.
            _(
                "nobody has answered the weekly test page of {{ since }}. In an emergency nobody would have "
                "come. Please find out why, and say that this one has arrived."
            ),
            # Translators: acknowledge_link is an address; the words before it become a button.
            _("It has arrived:\n{{ acknowledge_link }}"),
        ),
        variables=(SCHOOL, NAME, SINCE, ACKNOWLEDGE),
        required=("acknowledge_link",),
    ),
    Letter(
        key=LetterKey.PAGE_SILENT,
        title=_("On-call page: the watch is silent"),
        about=_("To whoever is on call, when nobody judges any more how the school fares."),
        audience=Audience.STAFF,
        subject=_("On call: the watch is silent"),
        paragraphs=(
            # Translators: name is the person's name.
            _("Hello {{ name }},"),
            # Translators: since is an hour or a date with an hour.
            _(
                "nobody judges how the school fares; this was noticed at {{ since }}. Until somebody does, "
                "nothing is switched off by itself, whatever breaks."
            ),
            # Translators: acknowledge_link is an address; the words before it become a button.
            _("I am at it:\n{{ acknowledge_link }}"),
            # Translators: escalates is an hour or a date with an hour.
            _(
                "{% if escalates %}If nobody says so by {{ escalates }}, the next one is called.{% endif %}"
            ),
            # Translators: console_link is an address.
            _("Look whether the workers and beat are running. The console: {{ console_link }}"),
        ),
        variables=(SCHOOL, NAME, SINCE, ESCALATES, ACKNOWLEDGE, CONSOLE),
        required=("acknowledge_link", "console_link"),
    ),
    Letter(
        key=LetterKey.HAND_OVER,
        title=_("On-call hand-over"),
        about=_("To whoever's shift begins: who had it before, and what is open."),
        audience=Audience.STAFF,
        # Translators: until is an hour or a date with an hour.
        subject=_("You are on call until {{ until }}"),
        paragraphs=(
            # Translators: name is the person's name.
            _("Hello {{ name }},"),
            # Translators: until is an hour or a date with an hour; previous a person's name.
            _(
                "your shift has begun and lasts until {{ until }}.{% if previous %} Before you it was "
                "{{ previous }}.{% endif %}"
            ),
            # Translators: open has a line for each open incident.
            _("{% if open %}Open now:\n{{ open }}{% else %}No incident is open.{% endif %}"),
            # Translators: console_link is an address; the words before it become a button.
            _("To the console:\n{{ console_link }}"),
        ),
        variables=(SCHOOL, NAME, UNTIL, CONSOLE, PREVIOUS, OPEN),
        required=("until",),
    ),
)
