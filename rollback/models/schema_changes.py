from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from rollback.models.incidents import Incident


class SchemaChange(models.Model):
    """A plan of migrations that was carried out, and on the strength of what."""

    plan = models.JSONField(_("plan"))  # [["app", "name", backwards], …]
    plan_hash = models.CharField(_("plan's hash"), max_length=64)
    receipt = models.CharField(_("backup"), max_length=100, blank=True)
    # Without a receipt: why (break-glass), and the incident in whose timeline that stands.
    broken_glass = models.CharField(_("without a backup because"), max_length=500, blank=True)
    incident = models.ForeignKey(
        Incident, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    actor_name = models.CharField(_("who"), max_length=254)
    started_at = models.DateTimeField(_("started"), db_default=Now(), editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    succeeded = models.BooleanField(_("succeeded"), null=True)
    report = models.JSONField(_("report"), default=dict)

    class Meta:
        verbose_name = _("schema change")
        verbose_name_plural = _("schema changes")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}, {self.actor_name}"
