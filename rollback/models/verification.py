from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from rollback.models.incidents import Incident


class Verification(models.Model):
    """One run of all probes: whether the school works. passed: empty while it runs."""

    incident = models.ForeignKey(
        Incident,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="verifications",
        verbose_name=_("incident"),
    )
    by_name = models.CharField(_("by"), max_length=150)
    started_at = models.DateTimeField(_("started"), db_default=Now())
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    passed = models.BooleanField(_("passed"), null=True, blank=True)

    class Meta:
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        ordering = ["-started_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="verification_over_when_known",
                condition=Q(ended_at=None, passed=None)
                | Q(ended_at__isnull=False, passed__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.started_at:%Y-%m-%d %H:%M:%S}"


class ProbeResult(models.Model):
    """What one probe found. A probe that ran out of time, or broke, has not passed."""

    verification = models.ForeignKey(
        Verification, on_delete=models.CASCADE, related_name="results", verbose_name=_("run")
    )
    probe = models.CharField(_("probe"), max_length=60)
    passed = models.BooleanField(_("passed"))
    words = models.TextField(_("found"))
    milliseconds = models.PositiveIntegerField(_("took, in ms"))
    limit_milliseconds = models.PositiveIntegerField(_("limit in ms"))
    facts = models.JSONField(_("facts"), default=dict)

    class Meta:
        verbose_name = _("result of a probe")
        verbose_name_plural = _("results of probes")
        ordering = ["verification", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["verification", "probe"], name="probe_result_once")
        ]

    def __str__(self) -> str:
        return f"{self.probe}: {'passed' if self.passed else 'failed'}"


class Baseline(models.Model):
    """How it was while all was well: what a verification compares with.

    name: "latency:<page>" (facts: p50 and p95 in ms) or "counts" (facts: table → rows).
    """

    name = models.CharField(_("name"), max_length=100, unique=True)
    facts = models.JSONField(_("facts"))
    measured_at = models.DateTimeField(_("measured"), db_default=Now())

    class Meta:
        verbose_name = _("baseline")
        verbose_name_plural = _("baselines")

    def __str__(self) -> str:
        return self.name
