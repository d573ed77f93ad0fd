from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from rollback.domain.timings import CLASSES


class TimingMinute(models.Model):
    """How long a feature's pages took in one minute: how many in each class of `domain/timings.py`.

    Nothing in it says whose pages they were.
    """

    class Kind(models.TextChoices):
        SERVER = "server", _("Server")
        BROWSER = "browser", _("Browser")

    feature = models.CharField(_("feature"), max_length=100)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    minute = models.DateTimeField(_("minute"))
    counts = ArrayField(models.IntegerField(), size=CLASSES, verbose_name=_("counts"))
    errors = models.PositiveIntegerField(_("server errors"), default=0)

    class Meta:
        verbose_name = _("measured times")
        verbose_name_plural = _("measured times")
        constraints = [
            models.UniqueConstraint(fields=["feature", "kind", "minute"], name="timing_once"),
            models.CheckConstraint(name="timing_classes", condition=Q(counts__len=CLASSES)),
        ]
        indexes = [models.Index(fields=["minute"], name="timing_minutes")]

    def __str__(self) -> str:
        return f"{self.feature}, {self.kind}, {self.minute:%Y-%m-%d %H:%M}"
