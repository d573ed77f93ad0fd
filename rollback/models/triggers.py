from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from rollback.domain.metrics import Method, Metric
from rollback.models.incidents import Incident


class Trigger(models.Model):
    """When to do something about a metric, and what. The specification's values are its first rows.

    feature: whose samples are looked at; empty: everything. flags: what an action takes away, or
    what a case is about. threshold: a fraction 0..1 where the metric is a share, else a number.
    """

    class Action(models.TextChoices):
        ALERT = "alert", _("alert")
        CASE = "case", _("put before a person")
        KILL = "kill", _("roll back at once")
        PLAN = "plan", _("roll back step by step")

    name = models.SlugField(_("name"), max_length=60, unique=True)
    title = models.CharField(_("title"), max_length=120)
    metric = models.CharField(
        _("metric"), max_length=40, choices=[(one.value, one.value) for one in Metric]
    )
    method = models.CharField(
        _("method"), max_length=20, choices=[(one.value, one.value) for one in Method]
    )
    feature = models.CharField(_("feature"), max_length=100, blank=True)
    flags = ArrayField(
        models.CharField(max_length=100), default=list, blank=True, verbose_name=_("takes away")
    )
    threshold = models.FloatField(_("threshold"), validators=[MinValueValidator(0.0)])
    window_seconds = models.PositiveIntegerField(_("window in seconds"))
    held_seconds = models.PositiveIntegerField(_("must last, in seconds"), default=0)
    min_total = models.PositiveIntegerField(_("at least so many"), default=0)
    min_bad = models.PositiveIntegerField(_("at least so many bad ones"), default=0)
    action = models.CharField(_("action"), max_length=10, choices=Action.choices)
    # What people read meanwhile, and how bad it is (1 is the worst).
    kind = models.CharField(
        _("kind of incident"), max_length=20, choices=Incident.Kind, blank=True, default=""
    )
    severity = models.PositiveSmallIntegerField(_("severity"), default=2)
    cooldown_seconds = models.PositiveIntegerField(_("pause after it, in seconds"), default=1800)
    is_enabled = models.BooleanField(_("evaluated"), default=True)
    is_shadow = models.BooleanField(
        _("shadow"), default=False, help_text=_("Is judged and written down, and does nothing.")
    )
    # Of the row as it stands; each has its `TriggerVersion`.
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)

    class Meta:
        verbose_name = _("trigger")
        verbose_name_plural = _("triggers")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(name="trigger_severity", condition=Q(severity__range=(1, 4))),
            models.CheckConstraint(name="trigger_threshold", condition=Q(threshold__gte=0)),
            models.CheckConstraint(name="trigger_window", condition=Q(window_seconds__gte=10)),
            models.CheckConstraint(
                name="trigger_action_takes_something",
                condition=~Q(action__in=("kill", "plan")) | ~Q(flags=[]),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TriggerVersion(models.Model):
    """How a trigger stood from a moment on: who wanted it so, and why. Only added, never changed."""

    trigger_name = models.CharField(_("trigger"), max_length=60)
    version = models.PositiveIntegerField(_("version"))
    rule = models.JSONField(_("as it was"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("person"),
    )
    actor_name = models.CharField(_("by"), max_length=150)
    reason = models.TextField(_("reason"))
    saved_at = models.DateTimeField(_("when"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("trigger version")
        verbose_name_plural = _("trigger versions")
        ordering = ["-saved_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["trigger_name", "version"], name="trigger_version_once"
            ),
            models.CheckConstraint(
                name="trigger_version_has_a_reason", condition=~Q(reason="") & ~Q(actor_name="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.trigger_name}, version {self.version}"


class Judgment(models.Model):
    """What a trigger came to, each time that changed, with all that led to it.

    evidence: the rule, the slots and numbers it saw, and "now": enough for `rollback replay` to come to
    the same. action: what was done; empty: nothing, `why_not` says why.
    """

    trigger_name = models.CharField(_("trigger"), max_length=60)
    version = models.PositiveIntegerField(_("version of the trigger"))
    verdict = models.CharField(_("verdict"), max_length=10)
    words = models.TextField(_("in words"))
    evidence = models.JSONField(_("evidence"))
    first_bad_at = models.DateTimeField(_("first bad sample"), null=True, blank=True)
    action = models.CharField(_("done"), max_length=10, blank=True)
    why_not = models.CharField(_("not done because"), max_length=200, blank=True)
    is_shadow = models.BooleanField(_("shadow"), default=False)
    incident = models.ForeignKey(
        Incident,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="judgments",
        verbose_name=_("incident"),
    )
    judged_at = models.DateTimeField(_("when"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("judgment")
        verbose_name_plural = _("judgments")
        ordering = ["-judged_at", "-pk"]
        indexes = [models.Index(fields=["trigger_name", "-judged_at"], name="judgment_history")]

    def __str__(self) -> str:
        return f"{self.trigger_name}: {self.verdict}, {self.judged_at:%Y-%m-%d %H:%M:%S}"
