from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from rollback.models.incidents import Incident


class PhaseRun(models.Model):
    """One way down through the phases, or back: who wanted it, who agreed, how far it got, and the proof.

    target: how far. 3 takes the pages away, 2 also the API and the tasks, 1 also the tables; 0 brings
    the tables back. Whoever carries it out holds a lease, by the database's clock.
    """

    class Target(models.IntegerChoices):
        BACK = 0, _("tables brought back")
        TABLES = 1, _("phase 1: tables archived")
        LOGIC = 2, _("phase 2: API and tasks off")
        PAGES = 3, _("phase 3: pages off")

    class Mode(models.TextChoices):
        KILL = "kill", _("at once")
        DRAIN = "drain", _("whoever is in the middle of something finishes first")

    class Status(models.TextChoices):
        ASKED = "asked", _("waits for approval")
        READY = "ready", _("ready")
        RUNNING = "running", _("under way")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    # Triggers refuse another operator, another target, and another approver than the first.
    LIVE = (Status.ASKED, Status.READY, Status.RUNNING)

    target = models.PositiveSmallIntegerField(_("how far"), choices=Target.choices)
    mode = models.CharField(_("how"), max_length=10, choices=Mode.choices, default=Mode.KILL)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    incident = models.ForeignKey(
        Incident,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="phase_runs",
        verbose_name=_("incident"),
    )
    reason = models.CharField(_("reason"), max_length=500)
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("operator"),
    )
    operator_name = models.CharField(_("operator"), max_length=254)
    # No person decided it: then it may take away and no more, and never the tables.
    automatic = models.BooleanField(_("automatic"), default=False, db_default=False)
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("approver"),
    )
    approver_name = models.CharField(_("approver"), max_length=254, blank=True)
    asked_at = models.DateTimeField(_("asked"), db_default=Now(), editable=False)
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    # Steps in order: {"name", "state": "waiting" | "running" | "done" | "failed", "at", "seconds", "words"}.
    progress = models.JSONField(_("progress"), default=list)
    # Before: blast radius, rows, forecast. Proof: ledger, counts, digests, blocked seconds.
    before = models.JSONField(_("before"), default=dict)
    proof = models.JSONField(_("proof"), default=dict)
    error = models.TextField(_("error"), blank=True)
    lease_owner = models.CharField(max_length=80, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("phase run")
        verbose_name_plural = _("phase runs")
        ordering = ["-pk"]
        permissions = [("approve_phase", "Can approve that tables are archived")]
        constraints = [
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(status__in=("asked", "ready", "running")),
                name="phase_run_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(operator__isnull=True)
                | Q(approver__isnull=True)
                | ~Q(operator=models.F("approver")),
                name="phase_run_two_people",
            ),
            models.CheckConstraint(
                condition=~Q(target=1, status="done")
                | Q(operator__isnull=False, approver__isnull=False),
                name="phase_run_tables_by_two",
            ),
            models.CheckConstraint(
                condition=Q(automatic=False) | Q(target__gte=2),
                name="phase_run_tables_by_people",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_target_display()} ({self.get_status_display()})"
