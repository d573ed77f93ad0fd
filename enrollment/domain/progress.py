"""Whose progress is kept. Pure: no Django, no clock."""

from enrollment.domain.states import EnrollmentStatus

GIVEN_UP = (EnrollmentStatus.DECLINED, EnrollmentStatus.CANCELLED)


class CourseGivenUp(Exception):
    """Declined or cancelled: what was done stays, and nothing is added or taken back."""


def check_keeps_progress(status: str) -> None:
    """A completed course still does: the last tick often comes after the last lesson.

    :raises CourseGivenUp:
    """
    if status in GIVEN_UP:
        raise CourseGivenUp
