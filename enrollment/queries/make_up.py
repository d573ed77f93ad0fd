"""What the school owes students: lessons that it cancelled, and that are not made up yet."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from enrollment.domain.states import LessonStatus
from enrollment.models import Enrollment, Lesson, MakeUpCredit

# Cancelled in its turn, a lesson that made up for another gives the credit back.
OPEN = Q(used_lesson__isnull=True) | Q(used_lesson__status=LessonStatus.CANCELLED)


def credits_of(enrollment: Enrollment) -> QuerySet[MakeUpCredit]:
    return enrollment.credits.select_related("lesson", "used_lesson")


def open_credits(enrollment: Enrollment) -> QuerySet[MakeUpCredit]:
    """The oldest first."""
    return credits_of(enrollment).filter(OPEN).order_by("granted_at", "pk")


def may_make_up(credit: MakeUpCredit) -> QuerySet[Lesson]:
    """The enrollment's lessons that stand and make up for no other; also the one that does now."""
    of_another = MakeUpCredit.objects.filter(used_lesson=OuterRef("pk")).exclude(pk=credit.pk)
    return (
        Lesson.objects.filter(
            ~Exists(of_another),
            enrollment=credit.enrollment_id,
            status__in=(LessonStatus.PLANNED, LessonStatus.DONE),
        )
        .select_related("course", "teacher")
        .order_by("period")
    )
