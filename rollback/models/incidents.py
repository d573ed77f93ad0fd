from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from rollback.domain.incidents import IncidentState, state_of


class Incident(models.Model):
    """Something went wrong. Unresolved until a person says in words how it was resolved.

    Triggers refuse to delete one, to resolve one for an automatic actor, and to take back either
    what it began with or what resolved it.
    """

    class Kind(models.TextChoices):
        """What it is told to people as. A feature has words for a kind, or says its usual ones."""

        OTHER = "", _("anything else")
        SLOW = "slow", _("too slow")
        ERRORS = "errors", _("errors")
        DATABASE = "database", _("database lost")
        INCOMPLETE = "incomplete", _("enrollments not completed")
        # Put before a person: nothing was taken away for it.
        CASE = "case", _("to be decided")

    class Severity(models.IntegerChoices):
        ONE = 1, _("1: nobody can enroll, or data is in danger")
        TWO = 2, _("2: a feature is off")
        THREE = 3, _("3: some are troubled")
        FOUR = 4, _("4: to be looked at")

    title = models.CharField(_("title"), max_length=200)
    kind = models.CharField(
        _("kind"), max_length=20, choices=Kind, blank=True, default=Kind.OTHER, db_default=""
    )
    severity = models.PositiveSmallIntegerField(
        _("severity"), choices=Severity, default=Severity.TWO, db_default=2
    )
    # Of what opened it; empty: a person did.
    trigger_name = models.CharField(_("trigger"), max_length=60, blank=True, db_default="")
    cause = models.TextField(_("cause"), blank=True)
    # The recovery time counts from the first bad sample to the passed verification.
    first_bad_at = models.DateTimeField(_("first bad sample"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("acknowledged by (person)"),
    )
    # Every process that lives had switched off.
    contained_at = models.DateTimeField(_("off everywhere"), null=True, blank=True)
    verified_at = models.DateTimeField(_("verified"), null=True, blank=True)
    # What the rows say about whom it concerned, counted again while it is open.
    impact = models.JSONField(_("impact"), default=dict, db_default={})
    # Both were bad, with the feature and without: then it was not the feature.
    is_not_the_feature = models.BooleanField(
        _("not caused by the feature"), default=False, db_default=False
    )
    root_cause = models.TextField(_("root cause"), blank=True, db_default="")
    lessons = models.TextField(_("lessons learned"), blank=True, db_default="")
    reviewed_at = models.DateTimeField(_("reviewed"), null=True, blank=True)
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

    @property
    def state(self) -> IncidentState:
        return state_of(
            acknowledged_at=self.acknowledged_at,
            contained_at=self.contained_at,
            verified_at=self.verified_at,
            resolved_at=self.resolved_at,
            reviewed_at=self.reviewed_at,
        )


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


class IncidentEvent(models.Model):
    """One line of an incident's timeline, written in the transaction that made it true.

    Only added, by the database's numbers and clock, and chained: `hash` is SHA-256 over `prev_hash` and
    everything else but the actor's name, which may have to be forgotten. The payload names nobody: ids.
    """

    class Kind(models.TextChoices):
        OPENED = "opened", _("opened")
        JUDGED = "judged", _("a trigger fired")
        STEPPED = "stepped", _("a share was changed")
        KILLED = "killed", _("switched off")
        CONTAINED = "contained", _("off everywhere")
        PLAN = "plan", _("plan")
        PHASE = "phase", _("phase")
        PEOPLE = "people", _("affected people")
        VERIFIED = "verified", _("verified")
        NOT_VERIFIED = "not verified", _("verification failed")
        ACKNOWLEDGED = "acknowledged", _("acknowledged")
        DECIDED = "decided", _("decided")
        NOTE = "note", _("note")
        TRIP = "trip", _("a process lost the database")
        MAILED = "mailed", _("people were told")
        PAGED = "paged", _("somebody was called")
        PUBLISHED = "published", _("the public was told")
        RESOLVED = "resolved", _("resolved")
        REVIEWED = "reviewed", _("reviewed")

    incident = models.ForeignKey(
        Incident, on_delete=models.PROTECT, related_name="events", verbose_name=_("incident")
    )
    number = models.PositiveIntegerField(_("number"), db_default=0, editable=False)
    at = models.DateTimeField(_("when"), db_default=Now(), editable=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("person"),
    )
    actor_name = models.CharField(_("by"), max_length=150)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    payload = models.JSONField(_("facts"), default=dict)
    prev_hash = models.CharField(max_length=64, db_default="", editable=False)
    hash = models.CharField(max_length=64, db_default="", editable=False)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("timeline")
        ordering = ["incident", "number"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "number"], name="incident_event_once")
        ]

    def __str__(self) -> str:
        return f"{self.incident_id}.{self.number}: {self.kind}"


class AffectedPerson(models.Model):
    """Whom an incident concerns, frozen when it was declared.

    reasons: "draft", "lesson", "teacher", "exposed".
    """

    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="people", verbose_name=_("incident")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("user")
    )
    reasons = ArrayField(models.CharField(max_length=20), verbose_name=_("reasons"))

    class Meta:
        verbose_name = _("affected person")
        verbose_name_plural = _("affected people")
        constraints = [
            models.UniqueConstraint(fields=["incident", "user"], name="affected_person_once")
        ]

    def __str__(self) -> str:
        return f"{self.incident_id}: {self.user_id}"


class IncidentAction(models.Model):
    """What is to be done so that it does not happen again."""

    incident = models.ForeignKey(
        Incident, on_delete=models.PROTECT, related_name="actions", verbose_name=_("incident")
    )
    text = models.CharField(_("what is to be done"), max_length=300)
    who = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by whom (person)"),
    )
    who_name = models.CharField(_("by whom"), max_length=150, blank=True)
    due_on = models.DateField(_("until"), null=True, blank=True)
    done_on = models.DateField(_("done"), null=True, blank=True)

    class Meta:
        verbose_name = _("action after an incident")
        verbose_name_plural = _("actions after incidents")
        ordering = ["incident", "pk"]

    def __str__(self) -> str:
        return self.text
