from datetime import datetime

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from enrollment.models.courses import Course
from enrollment.models.enrollments import Enrollment
from enrollment.models.lessons import Lesson
from enrollment.models.people import User


class CourseUnit(models.Model):
    """A piece of a course. Two may share a position: the older one comes first."""

    course = models.ForeignKey(
        Course, on_delete=models.CASCADE, related_name="units", verbose_name=_("course")
    )
    title = models.CharField(_("title"), max_length=160)
    position = models.PositiveSmallIntegerField(
        _("position"), default=1, validators=[MinValueValidator(1)]
    )

    class Meta:
        verbose_name = _("unit")
        verbose_name_plural = _("units")
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["course", "title"],
                name="course_unit_once",
                violation_error_message=_("The course already has a unit of this name."),
            )
        ]

    def __str__(self) -> str:
        return self.title


class UnitDone(models.Model):
    """That a student has done a unit. Who takes it back deletes the row."""

    enrollment = models.ForeignKey(
        Enrollment,
        on_delete=models.PROTECT,
        related_name="units_done",
        verbose_name=_("enrollment"),
    )
    # Protected: what a student has done does not vanish with a line of a form.
    unit = models.ForeignKey(
        CourseUnit, on_delete=models.PROTECT, related_name="done", verbose_name=_("unit")
    )
    done_at = models.DateTimeField(_("done"), default=timezone.now)
    # None: it came with a file that named nobody.
    by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("noted by"),
        null=True,
        blank=True,
    )
    lesson = models.ForeignKey(
        Lesson,
        on_delete=models.PROTECT,
        related_name="units_done",
        verbose_name=_("in the lesson"),
        null=True,
        blank=True,
    )

    class Meta:
        verbose_name = _("unit done")
        verbose_name_plural = _("units done")
        ordering = ["done_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["enrollment", "unit"],
                name="unit_done_once",
                violation_error_message=_("This unit is done already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.unit}, {_day(self.done_at)}"


def _day(moment: datetime) -> str:
    return f"{timezone.localdate(moment):%Y-%m-%d}"
