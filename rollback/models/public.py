"""What everybody may read: updates of an incident, planned work, and banners."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from rollback.models.incidents import Incident


class PublicUpdate(models.Model):
    """What the public is told about an incident at one moment. Only added.

    headings, texts: by language. components: names of features, or "school" for what no switch covers.
    """

    class State(models.TextChoices):
        INVESTIGATING = "investigating", _("Investigating")
        IDENTIFIED = "identified", _("Identified")
        MONITORING = "monitoring", _("Monitoring")
        RESOLVED = "resolved", _("Resolved")

    incident = models.ForeignKey(
        Incident,
        on_delete=models.PROTECT,
        related_name="public_updates",
        verbose_name=_("incident"),
    )
    state = models.CharField(_("state"), max_length=20, choices=State)
    components = ArrayField(models.CharField(max_length=50), default=list, verbose_name=_("parts"))
    headings = models.JSONField(_("headings"))
    texts = models.JSONField(_("texts"))
    published_at = models.DateTimeField(_("published"), db_default=Now(), editable=False)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published by (person)"),
    )
    published_by_name = models.CharField(_("published by"), max_length=150)
    # When the next one is promised. Only what somebody holds.
    next_at = models.DateTimeField(_("next update"), null=True, blank=True)

    class Meta:
        verbose_name = _("public update")
        verbose_name_plural = _("public updates")
        ordering = ["-published_at", "-pk"]
        default_permissions = ("view", "add")
        indexes = [models.Index(F("published_at").desc(), name="public_update_newest")]

    def __str__(self) -> str:
        return f"{self.incident_id}: {self.state}"


class Maintenance(models.Model):
    """Work that is planned ahead."""

    headings = models.JSONField(_("headings"))
    texts = models.JSONField(_("texts"))
    components = ArrayField(models.CharField(max_length=50), default=list, verbose_name=_("parts"))
    announced_from = models.DateTimeField(_("announced from"))
    starts_at = models.DateTimeField(_("begins"))
    ends_at = models.DateTimeField(_("ends"))
    cancelled_at = models.DateTimeField(_("cancelled"), null=True, blank=True)
    planned_by_name = models.CharField(_("planned by"), max_length=150, editable=False)

    class Meta:
        verbose_name = _("planned maintenance")
        verbose_name_plural = _("planned maintenance")
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(
                name="maintenance_in_order",
                condition=Q(announced_from__lte=F("starts_at")) & Q(starts_at__lt=F("ends_at")),
                violation_error_message=_("It is announced, then begins, then ends."),
            )
        ]

    def __str__(self) -> str:
        return str(next(iter(self.headings.values()), self.pk))


class Banner(models.Model):
    """A sentence on every page, written by hand. Those of incidents and of maintenance follow from rows."""

    class Level(models.TextChoices):
        INFO = "info", _("information")
        WARNING = "warning", _("warning")
        DANGER = "danger", _("danger")

    class Audience(models.TextChoices):
        EVERYBODY = "everybody", _("everybody")
        USERS = "users", _("whoever is logged in")
        STAFF = "staff", _("staff")

    level = models.CharField(_("level"), max_length=10, choices=Level, default=Level.INFO)
    audience = models.CharField(
        _("for"), max_length=10, choices=Audience, default=Audience.EVERYBODY
    )
    texts = models.JSONField(_("texts"))
    is_dismissible = models.BooleanField(_("can be closed"), default=True)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    written_by_name = models.CharField(_("written by"), max_length=150, editable=False)

    class Meta:
        verbose_name = _("banner")
        verbose_name_plural = _("banners")
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(
                name="banner_in_order",
                condition=Q(starts_at__lt=F("ends_at")),
                violation_error_message=_("It ends after it begins."),
            )
        ]

    def __str__(self) -> str:
        return str(next(iter(self.texts.values()), self.pk))
