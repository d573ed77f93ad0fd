"""Who is called when, how, and whether they have answered."""

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from rollback.domain.sendings import BY_ITSELF, not_by_itself
from rollback.models.incidents import Incident
from rollback.models.words import Sending


class TsTzRange(Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class OnCallShift(models.Model):
    """Somebody is called from `starts_at` until `ends_at`. level: 1 is called first."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("person"),
    )
    level = models.PositiveSmallIntegerField(
        _("is called as number"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(9)],
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    # The hand-over mail is written once, when it has begun.
    handed_over_at = models.DateTimeField(_("handed over"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("on-call shift")
        verbose_name_plural = _("on-call shifts")
        ordering = ["starts_at", "level"]
        constraints = [
            models.CheckConstraint(
                name="shift_in_order",
                condition=Q(starts_at__lt=F("ends_at")),
                violation_error_message=_("A shift ends after it begins."),
            ),
            ExclusionConstraint(
                name="shift_one_at_a_time",
                expressions=[
                    ("level", RangeOperators.EQUAL),
                    (
                        TsTzRange("starts_at", "ends_at", RangeBoundary()),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                violation_error_message=_("Somebody else is called with this number at that time."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.level}"


class Channel(models.Model):
    """Where a page goes besides the mail to whoever is on call."""

    class Kind(models.TextChoices):
        SLACK = "slack", _("Slack, Mattermost and their like")
        PAGERDUTY = "pagerduty", _("PagerDuty Events and its like")
        GENERIC = "generic", _("JSON, signed")

    name = models.CharField(_("name"), max_length=80, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    url = models.URLField(_("address"), max_length=500)
    # The routing key, or what the body is signed with.
    secret = models.CharField(_("key"), max_length=200, blank=True)
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("on-call channel")
        verbose_name_plural = _("on-call channels")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class OnCallPolicy(models.Model):
    """One row: how patient the school is."""

    escalate_minutes = models.PositiveSmallIntegerField(
        _("minutes until the next one is called"),
        default=5,
        db_default=5,
        validators=[MinValueValidator(1), MaxValueValidator(120)],
    )
    # Incidents of this severity and worse call somebody.
    page_severity = models.PositiveSmallIntegerField(
        _("calls from severity"), choices=Incident.Severity, default=2, db_default=2
    )
    first_update_minutes = models.PositiveSmallIntegerField(
        _("minutes until the first public word"), default=5, db_default=5
    )
    update_minutes = models.PositiveSmallIntegerField(
        _("minutes between public words"), default=20, db_default=20
    )
    # 0 is Monday, on the school's clock.
    test_weekday = models.PositiveSmallIntegerField(
        _("weekday of the test page"),
        default=0,
        db_default=0,
        validators=[MaxValueValidator(6)],
    )
    test_hour = models.PositiveSmallIntegerField(
        _("hour of the test page"), default=10, db_default=10, validators=[MaxValueValidator(23)]
    )
    # Letters that go out without anybody pressing a button, as soon as they are prepared.
    by_itself = models.JSONField(
        _("letters that go out by themselves"), default=list, db_default=[]
    )

    class Meta:
        verbose_name = _("on-call policy")
        verbose_name_plural = _("on-call policy")
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return str(_("On-call policy"))

    def clean(self) -> None:
        """Only letters that there are, and that may."""
        unknown = not_by_itself(self.by_itself)
        if unknown:
            words = _("Not a letter that goes out by itself: %(letters)s. There are: %(known)s.")
            facts = {"letters": ", ".join(unknown), "known": ", ".join(BY_ITSELF)}
            raise ValidationError({"by_itself": words % facts})


class Page(models.Model):
    """Somebody is called, and has to say that they are at it. Without an incident: a test, or the watch
    itself is silent."""

    class Kind(models.TextChoices):
        INCIDENT = "incident", _("incident")
        TEST = "test", _("weekly test")
        SILENT = "silent", _("the watch is silent")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    incident = models.ForeignKey(
        Incident,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="pages",
        verbose_name=_("incident"),
    )
    opened_at = models.DateTimeField(_("opened"), db_default=Now(), editable=False)
    # How many were called so far, and when the next one is, if nobody answers. Empty: nobody is left.
    level = models.PositiveSmallIntegerField(_("called so far"), default=0, db_default=0)
    escalates_at = models.DateTimeField(_("the next one is called"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("acknowledged by (person)"),
    )
    acknowledged_by_name = models.CharField(_("acknowledged by"), max_length=150, blank=True)
    # Nobody needs to answer any more: the incident is resolved, the watch is back.
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    # The last that the channels were told: "trigger", "acknowledge" or "resolve".
    channels_told = models.CharField(
        _("channels were told"), max_length=12, blank=True, default="", db_default=""
    )

    class Meta:
        verbose_name = _("on-call page")
        verbose_name_plural = _("on-call pages")
        ordering = ["-opened_at", "-pk"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["incident"], condition=Q(kind="incident"), name="page_of_incident_once"
            ),
            models.UniqueConstraint(
                F("kind"),
                condition=Q(kind="silent", closed_at=None),
                name="page_silent_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.kind}"


class PageCall(models.Model):
    """Who was called by a page, when. user: None where nobody was on call, and the office was told."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="calls")
    level = models.PositiveSmallIntegerField(_("number"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("person"),
    )
    sending = models.ForeignKey(
        Sending, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("sending")
    )
    called_at = models.DateTimeField(_("called"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        ordering = ["page", "level"]
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["page", "level"], name="page_call_once")]

    def __str__(self) -> str:
        return f"{self.page_id}.{self.level}"
