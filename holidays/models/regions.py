from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from enrollment.models import Teacher


class Region(models.Model):
    """A country, or a part of it, whose holidays count for somebody."""

    country = models.CharField(
        _("country"),
        max_length=2,
        validators=[RegexValidator(r"^[A-Z]{2}\Z", _("Two capital letters, like DE."))],
        help_text=_("ISO 3166-1: two letters, like DE."),
    )
    subdivision = models.CharField(
        _("subdivision"),
        max_length=6,
        blank=True,
        validators=[RegexValidator(r"^[A-Z0-9]{1,6}\Z", _("Letters and digits, like BY."))],
        help_text=_("ISO 3166-2 without the country, like BY; empty: the whole country."),
    )
    is_school = models.BooleanField(
        _("the school is here"),
        default=False,
        help_text=_("Counts for every teacher who has no region of their own."),
    )

    class Meta:
        verbose_name = _("region")
        verbose_name_plural = _("regions")
        ordering = ["country", "subdivision"]
        constraints = [
            models.UniqueConstraint(
                fields=["country", "subdivision"],
                name="region_once",
                violation_error_message=_("This region is already entered."),
            ),
            models.UniqueConstraint(
                fields=["is_school"],
                name="region_one_school",
                condition=Q(is_school=True),
                violation_error_message=_(
                    "The school already has a region; change that one first."
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.country}-{self.subdivision}" if self.subdivision else self.country


class TeacherRegion(models.Model):
    """Where a teacher lives, when it is not where the school is."""

    # The foreign key itself deletes this with its teacher (migration 0005), also from an archive.
    teacher = models.OneToOneField(
        Teacher, on_delete=models.DO_NOTHING, related_name="+", verbose_name=_("teacher")
    )
    region = models.ForeignKey(
        Region, on_delete=models.PROTECT, related_name="teachers", verbose_name=_("region")
    )

    class Meta:
        verbose_name = _("region of a teacher")
        verbose_name_plural = _("regions of teachers")
        ordering = ["teacher"]

    def __str__(self) -> str:
        return f"{self.teacher}: {self.region}"
