"""Why no enrollment was made, in words for the student. Both flows say the same."""

from django.utils.translation import gettext as _

from enrollment.operations.enroll import (
    ChangedElsewhere,
    CourseClosed,
    CourseFull,
    EnrollmentRefused,
    TooManyEnrollments,
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
