"""What the status page and the banner say: a heading and a few sentences, true for all. Pure."""

from rollback.domain.incidents import IncidentState
from rollback.domain.letter import Audience, Letter, LetterKey
from rollback.domain.letter_variables import FEATURE, NEWS, PUBLIC, SCHOOL, SINCE, UNTIL

State = IncidentState


def _(words: str) -> str:
    """Found by makemessages; who shows the words translates them."""
    return words


# What the sender adds.
ADDED = "{% if news %}{{ news }}{% endif %}"
# Translators: expected is an hour or a date with an hour.
MORE = _("{% if expected %}We say more by {{ expected }}.{% endif %}")
AS_ALWAYS = _("You can enroll and see your lessons as always; what you have typed is saved.")
GOING_ON = (State.OPEN, State.ACKNOWLEDGED, State.CONTAINED, State.VERIFIED)

PUBLIC_LETTERS = (
    Letter(
        key=LetterKey.INVESTIGATING,
        title=_("Public update: investigating"),
        about=_("On the status page and in the banner: something is wrong, and we look."),
        audience=Audience.PUBLIC,
        # Translators: feature is one name or several.
        subject=_("{{ feature }}: we are looking into a problem"),
        paragraphs=(
            # Translators: feature is one name or several; since is an hour or a date with an hour.
            _("Since {{ since }} something is not as it should be: {{ feature }}."),
            AS_ALWAYS,
            ADDED,
            MORE,
        ),
        variables=PUBLIC,
        required=("feature",),
        states=GOING_ON,
    ),
    Letter(
        key=LetterKey.IDENTIFIED,
        title=_("Public update: identified"),
        about=_("On the status page and in the banner: we know what it is."),
        audience=Audience.PUBLIC,
        # Translators: feature is one name or several.
        subject=_("{{ feature }}: we have found the problem"),
        paragraphs=(
            # Translators: feature is one name or several.
            _("We know what is wrong and are mending it: {{ feature }}."),
            AS_ALWAYS,
            ADDED,
            MORE,
        ),
        variables=PUBLIC,
        required=("feature",),
        states=GOING_ON,
    ),
    Letter(
        key=LetterKey.MONITORING,
        title=_("Public update: monitoring"),
        about=_("On the status page and in the banner: it is contained, and we watch."),
        audience=Audience.PUBLIC,
        # Translators: feature is one name or several.
        subject=_("{{ feature }}: contained, and we are watching"),
        paragraphs=(
            # Translators: feature is one name or several.
            _("The problem is contained, and we are watching. It is about: {{ feature }}."),
            AS_ALWAYS,
            ADDED,
            MORE,
        ),
        variables=PUBLIC,
        required=("feature",),
        states=(State.CONTAINED, State.VERIFIED),
    ),
    Letter(
        key=LetterKey.RESOLVED,
        title=_("Public update: resolved"),
        about=_("On the status page: it is over."),
        audience=Audience.PUBLIC,
        # Translators: feature is one name or several.
        subject=_("{{ feature }}: resolved"),
        paragraphs=(
            # Translators: feature is one name or several; since is an hour or a date with an hour.
            _("The problem that we had since {{ since }} is over. It was about: {{ feature }}."),
            ADDED,
        ),
        variables=PUBLIC,
        required=("since",),
        states=(State.RESOLVED, State.REVIEWED),
    ),
    Letter(
        key=LetterKey.MAINTENANCE,
        title=_("Planned maintenance"),
        about=_("On the status page and in the banner, ahead of planned work."),
        audience=Audience.PUBLIC,
        # Translators: feature is one name or several.
        subject=_("Planned maintenance: {{ feature }}"),
        paragraphs=(
            # Translators: since and until are hours or dates with an hour; feature is one name or several.
            _("From {{ since }} to {{ until }} we work on: {{ feature }}."),
            _("You can enroll and see your lessons as always."),
            ADDED,
        ),
        variables=(SCHOOL, FEATURE, SINCE, UNTIL, NEWS),
        required=("since", "until"),
    ),
)
