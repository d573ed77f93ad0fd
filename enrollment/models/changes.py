from django.contrib.postgres.fields import DateTimeRangeField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from enrollment.models.lessons import Lesson
from enrollment.models.people import Teacher, User


class LessonChange(models.Model):
    """What happened to a lesson after it was agreed. Rows are only added."""

    class What(models.TextChoices):
        BOOKED = "booked", _("Booked")
        MOVED = "moved", _("Moved")
        CANCELLED = "cancelled", _("Cancelled")

    lesson = models.ForeignKey(
        Lesson, on_delete=models.CASCADE, related_name="changes", verbose_name=_("lesson")
    )
    what = models.CharField(_("what"), max_length=10, choices=What.choices)
    at = models.DateTimeField(_("when"), default=timezone.now)
    # None: nobody did; it was moved by a rule.
    by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("by"),
        null=True,
        blank=True,
    )
    # Where the lesson was before, for one that was moved.
    period_before = DateTimeRangeField(_("period before"), null=True, blank=True)
    teacher_before = models.ForeignKey(
        Teacher,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("teacher before"),
        null=True,
        blank=True,
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("change of a lesson")
        verbose_name_plural = _("changes of lessons")
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.lesson_id}: {self.get_what_display()}"
