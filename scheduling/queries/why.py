"""Why something is not offered, in full and in a few words: for the teacher's own pages."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from scheduling.domain.reasons import Why

IN_FULL: dict[Why, str | Promise] = {
    Why.CLOSED: _("closed"),
    Why.NO_HOURS: _("no hours"),
    Why.TIME_OFF: _("time off"),
    Why.HORIZON: _("further ahead than can be booked"),
    Why.PAST: _("over"),
    Why.NOTICE: _("at too short notice"),
    Why.LESSON: _("a lesson"),
    Why.FULL: _("the group is full"),
    Why.BUFFER: _("kept free beside a lesson"),
    Why.OWN_LESSON: _("a lesson of the student"),
    Why.DAY_LIMIT: _("most lessons of the day reached"),
    Why.WEEK_LIMIT: _("most lessons of the week reached"),
}


def in_full(why: Why, note: str = "") -> str:
    """note: what goes with it, like the holiday's name."""
    words = str(IN_FULL[why])
    return f"{words}: {note}" if note else words
