from django.db import models
from django.utils.translation import gettext_lazy as _


class DoorCount(models.Model):
    """How many were turned away at a door, by day (UTC)."""

    feature = models.CharField(_("feature"), max_length=100)
    door = models.CharField(_("door"), max_length=10)
    on_date = models.DateField(_("day"))
    turned_away = models.PositiveIntegerField(_("turned away"), default=0)

    class Meta:
        verbose_name = _("door count")
        verbose_name_plural = _("door counts")
        constraints = [
            models.UniqueConstraint(fields=["feature", "door", "on_date"], name="door_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.feature}, {self.door}, {self.on_date}: {self.turned_away}"
