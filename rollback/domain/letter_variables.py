"""What may stand in letters: each variable with its meaning and a sample. Pure."""

from rollback.domain.letter import Variable


def _(words: str) -> str:
    """Found by makemessages; who shows the words translates them."""
    return words


SCHOOL = Variable(name="school", meaning=_("the school's name"), sample="Riverside School")
NAME = Variable(name="name", meaning=_("the person's name"), sample="Ada Vogel")
FEATURE = Variable(
    name="feature", meaning=_("what it is about, by its name"), sample=_("Teacher scheduling")
)
SINCE = Variable(
    name="since",
    meaning=_("when it began, on the reader's own clock"),
    sample="7 January 2030, 15:04",
)
SAVED = Variable(
    name="saved",
    meaning=_("what is saved for this person, in a sentence"),
    sample=_("What you typed for Violin for beginners is saved."),
)
INSTEAD = Variable(
    name="instead",
    meaning=_("what to do instead, in a sentence"),
    sample=_("You can finish your enrollment with our standard form."),
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
    sample=_("We have found the cause and are mending it."),
    may_be_empty=True,
    has_lines=True,
)
STATUS = Variable(
    name="status_link",
    meaning=_("the address of the public status page"),
    sample="https://school.example/status/",
)
NUMBER = Variable(name="incident", meaning=_("the incident's number"), sample="12")
TITLE = Variable(
    name="title", meaning=_("the incident's title"), sample=_("Calendar: too many errors")
)
PEOPLE = (SCHOOL, NAME, FEATURE, SINCE, SAVED, INSTEAD, LINK, EXPECTED, NEWS, STATUS)
COURSE = Variable(name="course", meaning=_("the course"), sample=_("Violin for beginners"))
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
STATE = Variable(name="state", meaning=_("how far it is, in words"), sample=_("Off everywhere"))
SEVERITY = Variable(
    name="severity", meaning=_("how bad it is, in words"), sample=_("2: a feature is off")
)
WHO = Variable(
    name="who",
    meaning=_("whom it concerns, in figures"),
    sample=_(
        "1,204 people: 37 with an unfinished enrollment, 512 with a lesson, 655 had the feature."
    ),
    has_lines=True,
)
FIGURES = Variable(
    name="figures",
    meaning=_("what it has cost so far, a line for each figure"),
    sample=_("Enrollments finished through the original flow: 31\nMinutes the feature was off: 14"),
    has_lines=True,
)
NEXT = Variable(
    name="next_step",
    meaning=_("what happens next, in a sentence"),
    sample=_("Verification runs again in two minutes."),
)
# Whoever is on the list has no login and has not asked for it.
ON_THE_LIST = Variable(
    name="on_the_list",
    meaning=_("who put the reader on the list, and how they come off it"),
    sample=_(
        "Marta Rossi put you on the management's list on 3 January 2030. Answer this mail to be taken off it."
    ),
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
CAUSE = Variable(
    name="cause", meaning=_("the root cause"), sample=_("An index was missing."), has_lines=True
)
LESSONS_LEARNED = Variable(
    name="lessons",
    meaning=_("what was learned"),
    sample=_("The load test did not know about holidays."),
    has_lines=True,
)
ACTIONS = Variable(
    name="actions",
    meaning=_("what is to be done, a line for each"),
    sample=_("- Load test with holidays (Marta Rossi, until 20 January)"),
    has_lines=True,
)
PREVIOUS = Variable(
    name="previous",
    meaning=_("who was on call before"),
    sample="Jonas Weber",
    may_be_empty=True,
)
OPEN = Variable(
    name="open",
    meaning=_("the open incidents, a line for each"),
    sample=_("- 12: Calendar: too many errors"),
    may_be_empty=True,
    has_lines=True,
)
