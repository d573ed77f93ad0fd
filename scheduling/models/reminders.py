from django.db import models
from django.utils.translation import gettext_lazy as _

from enrollment.models import Teacher


class TeacherReminder(models.Model):
    """That a teacher was reminded of missing hours in a week. The row is what makes it once."""

    teacher = models.ForeignKey(
        Teacher,
        on_delete=models.DO_NOTHING,
        related_name="hours_reminders",
        verbose_name=_("teacher"),
    )
    week_on = models.DateField(_("week"), help_text=_("The Monday of the week."))

    class Meta:
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        constraints = [
            models.UniqueConstraint(fields=["teacher", "week_on"], name="teacher_reminded_once")
        ]

    def __str__(self) -> str:
        return f"{self.teacher}, {self.week_on}"
