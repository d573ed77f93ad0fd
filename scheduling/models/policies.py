from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from enrollment.models import Course, Teacher
from scheduling.domain.policy import MOST_HORIZON_DAYS, NAMES


def _number(label: Any, least: int, most: int, help_text: Any = "") -> Any:
    return models.PositiveSmallIntegerField(
        label,
        null=True,
        blank=True,
        validators=[MinValueValidator(least), MaxValueValidator(most)],
        help_text=help_text,
    )


class BookingPolicy(models.Model):
    """What may be booked, for the school, a course, a teacher, or a teacher in a course.

    Each line is looked up by itself, from the nearest: teacher in a course, teacher, course, school.
    Empty means: as farther away.
    """

    course = models.ForeignKey(
        Course,
        on_delete=models.DO_NOTHING,
        related_name="booking_policies",
        verbose_name=_("course"),
        null=True,
        blank=True,
        help_text=_("Empty: for every course."),
    )
    teacher = models.ForeignKey(
        Teacher,
        on_delete=models.DO_NOTHING,
        related_name="booking_policies",
        verbose_name=_("teacher"),
        null=True,
        blank=True,
        help_text=_("Empty: for every teacher."),
    )
    lesson_minutes = _number(
        _("lesson length in minutes"), 5, 480, _("Empty everywhere: the course's own length.")
    )
    step_minutes = _number(
        _("minutes from one start to the next"), 5, 480, _("Empty everywhere: the lesson's length.")
    )
    buffer_before = _number(_("minutes kept free before a lesson"), 0, 240)
    buffer_after = _number(_("minutes kept free after a lesson"), 0, 240)
    notice_minutes = _number(
        _("latest booking, minutes before the start"), 0, 30_000, _("1440 is a day before.")
    )
    horizon_days = _number(
        _("bookable days ahead"),
        1,
        MOST_HORIZON_DAYS,
        _("The last day is so many days after today."),
    )
    most_a_day = _number(_("most lessons a day"), 1, 100)
    most_a_week = _number(_("most lessons a week"), 1, 500, _("From Monday to Sunday."))
    cancel_notice_hours = _number(_("latest cancellation, hours before the start"), 0, 720)
    move_notice_hours = _number(_("latest move, hours before the start"), 0, 720)
    automatic_moves = models.BooleanField(
        _("lessons may be moved by themselves"),
        null=True,
        blank=True,
        help_text=_(
            "When the school changes hours: to the nearest free time of the same teacher in the "
            "same week."
        ),
    )

    class Meta:
        verbose_name = _("booking policy")
        verbose_name_plural = _("booking policies")
        ordering = ["course__title", "teacher__display_name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["course", "teacher"],
                nulls_distinct=False,
                name="booking_policy_once",
                violation_error_message=_("There is a policy for these already. Change that one."),
            ),
            models.CheckConstraint(
                name="booking_policy_sane",
                condition=(
                    (Q(lesson_minutes__isnull=True) | Q(lesson_minutes__range=(5, 480)))
                    & (Q(step_minutes__isnull=True) | Q(step_minutes__range=(5, 480)))
                    & (Q(buffer_before__isnull=True) | Q(buffer_before__lte=240))
                    & (Q(buffer_after__isnull=True) | Q(buffer_after__lte=240))
                    & (Q(horizon_days__isnull=True) | Q(horizon_days__range=(1, MOST_HORIZON_DAYS)))
                    & (Q(most_a_day__isnull=True) | Q(most_a_day__gte=1))
                    & (Q(most_a_week__isnull=True) | Q(most_a_week__gte=1))
                ),
            ),
        ]

    def __str__(self) -> str:
        whose = [str(one) for one in (self.teacher, self.course) if one]
        return ", ".join(whose) or str(_("The whole school"))

    def clean(self) -> None:
        # Told at a field; the constraint's own words would stand at none.
        same = BookingPolicy.objects.filter(course=self.course, teacher=self.teacher)
        if same.exclude(pk=self.pk).exists():
            raise ValidationError(
                {"course": _("There is a policy for these already. Change that one.")}
            )
        if all(getattr(self, name) is None for name in NAMES):
            raise ValidationError(
                {"lesson_minutes": _("This policy says nothing yet. Fill in at least one line.")}
            )
