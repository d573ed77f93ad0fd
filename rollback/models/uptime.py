from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class UptimeDay(models.Model):
    """A day that is over: how many of its minutes something is known of, and in how many a part was down.

    Kept because samples become hours after thirty days, and a day's number must not change by that.
    part: a feature's name, or "school". on_date: in the school's zone. No known minutes: no samples.
    """

    part = models.CharField(_("part"), max_length=50)
    on_date = models.DateField(_("day"))
    known_minutes = models.PositiveSmallIntegerField(_("known minutes"))
    down_minutes = models.PositiveSmallIntegerField(_("minutes down"))

    class Meta:
        verbose_name = _("day of the status page")
        verbose_name_plural = _("days of the status page")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["part", "on_date"], name="uptime_day_once"),
            models.CheckConstraint(
                name="uptime_down_among_known", condition=Q(down_minutes__lte=F("known_minutes"))
            ),
        ]
        indexes = [models.Index(fields=["on_date"], name="uptime_days")]

    def __str__(self) -> str:
        return f"{self.part}, {self.on_date}"
