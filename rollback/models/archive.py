from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class LedgerEntry(models.Model):
    """A table or a column that a reversed migration has put into the archive, and its way home.

    Written by the migration itself, in its transaction: what stands here is what happened. rows,
    digest: taken after that, of what lies in the archive (`rollback.schema.digest`).
    """

    class Kind(models.TextChoices):
        TABLE = "table", _("table")
        COLUMN = "column", _("column")

    app = models.CharField(_("app"), max_length=100)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    table = models.CharField(_("table"), max_length=63)
    column = models.CharField(_("column"), max_length=63, blank=True)
    archived_as = models.CharField(
        _("in the archive as"), max_length=130, help_text=_("Schema and table.")
    )
    # `rollback.schema.catalog.Shape` and foreign keys, by their names, as PostgreSQL writes them.
    shape = models.JSONField(_("shape"), default=dict)
    foreign_keys = models.JSONField(_("foreign keys"), default=dict)
    archived_at = models.DateTimeField(_("archived"), db_default=Now(), editable=False)
    rows = models.BigIntegerField(_("rows"), null=True, blank=True)
    digest = models.DecimalField(
        _("digest"), max_digits=40, decimal_places=0, null=True, blank=True
    )
    sealed_at = models.DateTimeField(_("counted"), null=True, blank=True)
    # Who had it deleted for good, and why: what was kept of it is this row.
    purged_at = models.DateTimeField(_("purged"), null=True, blank=True)
    purged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("purged by"),
    )
    purged_by_name = models.CharField(
        _("purged by"), max_length=150, blank=True, default="", db_default=""
    )
    purged_because = models.TextField(_("purged because"), blank=True, default="", db_default="")
    back_at = models.DateTimeField(_("brought back"), null=True, blank=True)
    report = models.JSONField(_("report"), default=dict)

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger of the archive")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["table", "column"],
                condition=Q(back_at__isnull=True),
                name="ledger_away_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.table}.{self.column}" if self.column else self.table


class Orphan(models.Model):
    """A row that came back from the archive to find that what it belongs to is gone.

    It could not stay where it was, for a foreign key would be broken; so it stands here, whole.
    """

    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="orphans")
    foreign_key = models.CharField(_("foreign key"), max_length=63)
    row = models.JSONField(_("row"))
    found_at = models.DateTimeField(_("found"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("orphaned row")
        verbose_name_plural = _("orphaned rows")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.entry}: {self.foreign_key}"
