from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Incident(models.Model):
    """Something went wrong. Unresolved until a person says in words how it was resolved.

    Triggers refuse to delete one, to resolve one for an automatic actor, and to take back either
    what it began with or what resolved it.
    """

    class Kind(models.TextChoices):
        """What it is told to people as. A feature has words for a kind, or says its usual ones."""

        OTHER = "", _("anything else")
        SLOW = "slow", _("too slow")

    title = models.CharField(_("title"), max_length=200)
    kind = models.CharField(
        _("kind"), max_length=20, choices=Kind, blank=True, default=Kind.OTHER, db_default=""
    )
    cause = models.TextField(_("cause"), blank=True)
    opened_at = models.DateTimeField(_("opened"), db_default=Now(), editable=False)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("opened by (person)"),
    )
    opened_by_name = models.CharField(_("opened by"), max_length=150)
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True, editable=False)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("resolved by (person)"),
    )
    resolved_by_name = models.CharField(_("resolved by"), max_length=150, blank=True)
    resolution = models.TextField(_("how it was resolved"), blank=True)

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = [F("resolved_at").desc(nulls_first=True), "-opened_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="incident_has_title_and_opener",
                condition=~Q(title="") & ~Q(opened_by_name=""),
            ),
            models.CheckConstraint(
                name="incident_resolved_in_words",
                condition=Q(resolved_at=None, resolved_by=None, resolved_by_name="", resolution="")
                | (Q(resolved_at__isnull=False) & ~Q(resolved_by_name="") & ~Q(resolution="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.title}"

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None


class Latch(models.Model):
    """Nothing may raise the flag of this name while the incident is unresolved; a trigger refuses.

    By name, so that a flag deleted and made again, or another renamed to it, is held as well. A
    latch is never changed nor removed; it is over when its incident is resolved.
    """

    flag_name = models.CharField(_("flag"), max_length=100)
    incident = models.ForeignKey(
        Incident, on_delete=models.PROTECT, related_name="latches", verbose_name=_("incident")
    )
    set_at = models.DateTimeField(_("set"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("latch")
        verbose_name_plural = _("latches")
        constraints = [models.UniqueConstraint(fields=["flag_name", "incident"], name="latch_once")]

    def __str__(self) -> str:
        return f"{self.flag_name}: incident {self.incident_id}"
