"""Why something was not done, in words for people. Every page says the same."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from enrollment.domain.messages import HOURLY_LIMIT, ThreadClosed
from enrollment.operations.enroll import (
    ChangedElsewhere,
    CourseClosed,
    CourseFull,
    EnrollmentRefused,
    TooManyEnrollments,
)
from enrollment.operations.erase import AskAnAdmin, EraseRefused, LastSuperuser, StillTeaching
from enrollment.operations.messages import TooManyMessages

BUSY = gettext_lazy("Nothing was deleted: the school is busy. Please try again.")
NO_COPY = gettext_lazy(
    "There is no copy just now: part of what is kept about you cannot be reached. Please ask the office."
)
NOT_WHOLE = gettext_lazy(
    "Nothing was deleted: part of what is kept about you cannot be reached. Please ask the office."
)


def why_refused(refused: EnrollmentRefused) -> str:
    if isinstance(refused, CourseFull):
        return _(
            "The last place in this course has just been taken. What you typed is kept; "
            "you can choose another course, or write to the office."
        )
    if isinstance(refused, CourseClosed):
        return _("Enrollment for this course is closed today.")
    if isinstance(refused, TooManyEnrollments):
        return _("You have enrolled very often within an hour. Please try again later.")
    if isinstance(refused, ChangedElsewhere):
        return _(
            "You changed this on another page or device as well. Nothing is lost: look at it "
            "once more, and where there are two texts, choose."
        )
    return _("This teacher no longer teaches this course. Choose another, or no preference.")


def why_not_sent(refused: ThreadClosed | TooManyMessages) -> str:
    if isinstance(refused, TooManyMessages):
        return _(
            "You have sent %(count)d messages within an hour, and that is the limit. "
            "Your text is still here: please send it a little later."
        ) % {"count": HOURLY_LIMIT}
    return _("This enrollment has been over for a while, so nothing can be written here any more.")


def why_not_ticked() -> str:
    return _("This enrollment was declined or cancelled; its progress stays as it is.")


def why_not_erased(refused: EraseRefused) -> str:
    """What is in the way, and who can do something about it."""
    if isinstance(refused, StillTeaching):
        return _("Still in the way, as a teacher: %(lessons)s, %(enrollments)s.") % {
            "lessons": _lessons(refused.lessons),
            "enrollments": _enrollments(refused.enrollments),
        }
    if isinstance(refused, LastSuperuser):
        return _("The last active superuser cannot be deleted: nobody could give permissions.")
    assert isinstance(refused, AskAnAdmin)
    return _("You work for the school with this account. Ask another admin to delete it.")


def _lessons(count: int) -> str:
    return ngettext("%(count)d coming lesson", "%(count)d coming lessons", count) % {"count": count}


def _enrollments(count: int) -> str:
    words = ngettext("%(count)d running enrollment", "%(count)d running enrollments", count)
    return words % {"count": count}
