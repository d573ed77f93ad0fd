from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Backup(models.Model):
    """One attempt at a backup. What counts is the receipt beside the file; this is for whoever looks on."""

    class Status(models.TextChoices):
        RUNNING = "running", _("under way")
        VERIFIED = "verified", _("verified")
        FAILED = "failed", _("failed")
        PRUNED = "pruned", _("removed")

    name = models.CharField(_("name"), max_length=100, unique=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    started_at = models.DateTimeField(_("started"), db_default=Now(), editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    # When its rows were what they are: the snapshot's time.
    as_of = models.DateTimeField(_("state of"), null=True, blank=True)
    size = models.BigIntegerField(_("bytes"), null=True, blank=True)
    rows = models.BigIntegerField(_("rows"), null=True, blank=True)
    seconds = models.JSONField(_("seconds"), default=dict)  # dump, fingerprint, restore, compare
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("backup")
        verbose_name_plural = _("backups")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name
