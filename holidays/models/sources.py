from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from holidays.models.regions import Region


class HolidaySource(models.Model):
    """Where holidays were imported from, and can be imported from again."""

    class Kind(models.TextChoices):
        LIBRARY = "library", _("public holidays of a country")
        ICALENDAR = "icalendar", _("calendar file (.ics)")
        CSV = "csv", _("table (.csv)")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    title = models.CharField(_("title"), max_length=120, unique=True)
    # Of the library: whose holidays, and of which of its categories ("public", "school", …).
    country = models.CharField(_("country"), max_length=2, blank=True)
    subdivision = models.CharField(_("subdivision"), max_length=6, blank=True)
    categories = models.JSONField(_("categories"), default=list, blank=True)
    # Whom what comes from here closes; None: the whole school.
    region = models.ForeignKey(
        Region,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("closes for teachers in"),
    )
    # What the library says otherwise than what was imported, found at night: {"years": [2026, 2027],
    # "version": "0.109", "counts": {"new": 1}, "names": ["…"]}; None: nothing.
    difference = models.JSONField(_("difference"), null=True, blank=True, editable=False)
    compared_at = models.DateTimeField(_("compared"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("source of holidays")
        verbose_name_plural = _("sources of holidays")
        ordering = ["title"]
        constraints = [
            models.CheckConstraint(
                name="holiday_source_country_of_library",
                condition=Q(kind="library") & ~Q(country="") | ~Q(kind="library") & Q(country=""),
            )
        ]

    def __str__(self) -> str:
        return self.title


class HolidayImport(models.Model):
    """One import, and what it changed, so that it can be taken back.

    changes: one object for each holiday: {"id": 7, "before": {…} or null, "after": {…} or null},
    with the columns as `holidays.operations` writes them. Without an id it was left out: {"key": "…"}.
    """

    source = models.ForeignKey(
        HolidaySource, on_delete=models.CASCADE, related_name="imports", verbose_name=_("source")
    )
    first_year = models.PositiveSmallIntegerField(_("first year"))
    last_year = models.PositiveSmallIntegerField(_("last year"))
    version = models.CharField(
        _("version"), max_length=40, blank=True, help_text=_("Of the library, or of the file.")
    )
    made_at = models.DateTimeField(_("made"), db_default=Now(), editable=False)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="+",
        verbose_name=_("made by"),
    )
    changes = models.JSONField(_("changes"), default=list)
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("import of holidays")
        verbose_name_plural = _("imports of holidays")
        ordering = ["-made_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.source}, {self.first_year}–{self.last_year}"
