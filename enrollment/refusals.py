"""Why no enrollment was made, and why nobody was deleted, in words. Every page says the same."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from enrollment.operations.enroll import (
    CourseClosed,
    CourseFull,
    EnrollmentRefused,
    TooManyEnrollments,
)
from enrollment.operations.erase import AskAnAdmin, EraseRefused, LastSuperuser, StillTeaching

BUSY = gettext_lazy("Nothing was deleted: the school is busy. Please try again.")


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
    return _("This teacher no longer teaches this course. Choose another, or no preference.")


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
