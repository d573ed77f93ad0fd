from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from rollback.domain.plans import LIVE, PlanState
from rollback.models.audit import FlagChange
from rollback.models.incidents import Incident


class Plan(models.Model):
    """A way down or up in steps, advanced by the runner, one transaction a step.

    flags: changed together. mode: in a drain those in the middle of an enrollment move last, at
    `drain_seconds` at the latest. Whoever advances it holds the lease, by the database's clock.
    """

    class Direction(models.TextChoices):
        DOWN = "down", _("down")
        UP = "up", _("up")

    class Mode(models.TextChoices):
        KILL = "kill", _("all at once in each step")
        DRAIN = "drain", _("who is enrolling moves last")

    incident = models.ForeignKey(
        Incident,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="plans",
        verbose_name=_("incident"),
    )
    direction = models.CharField(_("direction"), max_length=5, choices=Direction.choices)
    mode = models.CharField(_("mode"), max_length=5, choices=Mode.choices, default=Mode.KILL)
    flags = ArrayField(models.CharField(max_length=100), verbose_name=_("features"))
    drain_seconds = models.PositiveIntegerField(_("patience in seconds"), default=600)
    state = models.CharField(
        _("state"),
        max_length=10,
        choices=[(one.value, one.value) for one in PlanState],
        default=PlanState.RUNNING.value,
    )
    # Why it waits or ended, in words for people.
    note = models.TextField(_("note"), blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("person"),
    )
    actor_name = models.CharField(_("by"), max_length=150)
    actor_kind = models.CharField(
        _("started by"), max_length=20, choices=FlagChange.Kind, default=FlagChange.Kind.PERSON
    )
    reason = models.TextField(_("reason"))
    created_at = models.DateTimeField(_("begun"), db_default=Now(), editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    lease_owner = models.CharField(max_length=100, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ["-created_at", "-pk"]
        constraints = [
            # Twenty that start at once: one acts, the others are told its number.
            models.UniqueConstraint(
                fields=["direction"],
                condition=Q(state__in=[one.value for one in LIVE]),
                name="one_live_plan_a_direction",
            ),
            models.CheckConstraint(
                name="plan_has_flags_and_a_reason", condition=~Q(flags=[]) & ~Q(reason="")
            ),
            models.CheckConstraint(
                name="plan_ended",
                condition=Q(state__in=[one.value for one in LIVE], ended_at=None)
                | (~Q(state__in=[one.value for one in LIVE]) & Q(ended_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.direction}, {', '.join(self.flags)}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE


class PlanStep(models.Model):
    """One share of a plan. dwell_seconds: how long to look at it before the next one.

    people: the users who lose (or get) something by it, frozen when it was done. blast: the numbers that
    were shown (users, drafts, teachers, holds, mails).
    """

    plan = models.ForeignKey(
        Plan, on_delete=models.PROTECT, related_name="steps", verbose_name=_("plan")
    )
    number = models.PositiveSmallIntegerField(_("number"))
    percent = models.DecimalField(_("share in %"), max_digits=5, decimal_places=2)
    dwell_seconds = models.PositiveIntegerField(_("then wait, in seconds"), default=0)
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    # In a drain, when those in the middle of something had moved as well.
    drained_at = models.DateTimeField(_("everybody moved"), null=True, blank=True)
    blast = models.JSONField(_("whom it concerned"), default=dict)
    people = ArrayField(
        models.BigIntegerField(), default=list, blank=True, verbose_name=_("frozen list")
    )

    class Meta:
        verbose_name = _("step of a plan")
        verbose_name_plural = _("steps of a plan")
        ordering = ["plan", "number"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "number"], name="plan_step_once"),
            models.CheckConstraint(
                name="plan_step_share", condition=Q(percent__gte=0, percent__lte=100)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_id}.{self.number}: {self.percent} %"


class Draining(models.Model):
    """Somebody who keeps a flag beyond its share until then, because they are in the middle of enrolling.

    Only whoever had it before; a kill beats it, and so does the hour.
    """

    flag_name = models.CharField(_("flag"), max_length=100)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("user")
    )
    until = models.DateTimeField(_("until"))

    class Meta:
        verbose_name = _("draining")
        verbose_name_plural = _("draining")
        constraints = [models.UniqueConstraint(fields=["flag_name", "user"], name="draining_once")]

    def __str__(self) -> str:
        return f"{self.flag_name}: {self.user_id}"
