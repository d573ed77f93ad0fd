from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from enrollment.models import Course, Teacher
from holidays.models.regions import Region
from holidays.models.sources import HolidaySource

# Nothing is entered twice that is the same in all of these.
ONCE = ("name", "first_on", "last_on", "kind", "scope", "region", "starts", "ends")


class Weekday(models.IntegerChoices):
    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


class Holiday(models.Model):
    """Days on which no lesson is offered, both ends counted; or days that work like another weekday.

    Dates and times are those of the teacher's own calendar and wall clock.
    """

    class Kind(models.TextChoices):
        PUBLIC = "public", _("public holiday")
        SCHOOL_BREAK = "school_break", _("school break")
        OTHER = "other", _("other closure")
        WORKING_DAY = "working_day", _("working day instead")

    class Scope(models.TextChoices):
        SCHOOL = "school", _("the whole school")
        REGION = "region", _("teachers in a region")
        TEACHERS = "teachers", _("certain teachers")
        COURSES = "courses", _("certain courses")

    name = models.CharField(_("name"), max_length=120)
    # In other languages: {"de": "Neujahr"}.
    names = models.JSONField(_("name in other languages"), default=dict, blank=True)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices, default=Kind.OTHER)
    first_on = models.DateField(_("first day"))
    last_on = models.DateField(_("last day"), help_text=_("Counted in."))
    starts = models.TimeField(
        _("closed from"),
        null=True,
        blank=True,
        help_text=_("Empty: from the morning on. On each of the days, on the teacher's clock."),
    )
    ends = models.TimeField(
        _("closed until"), null=True, blank=True, help_text=_("Empty: until the evening.")
    )
    as_weekday = models.PositiveSmallIntegerField(
        _("works like"),
        null=True,
        blank=True,
        choices=Weekday.choices,
        help_text=_("Of a working day instead: whose weekly hours count on it."),
    )
    scope = models.CharField(
        _("closes for"), max_length=10, choices=Scope.choices, default=Scope.SCHOOL
    )
    region = models.ForeignKey(
        Region,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("region"),
    )
    teachers = models.ManyToManyField(
        Teacher, blank=True, related_name="+", verbose_name=_("teachers")
    )
    courses = models.ManyToManyField(
        Course, blank=True, related_name="+", verbose_name=_("courses")
    )
    note = models.TextField(_("note for students"), blank=True, max_length=1000)
    source = models.ForeignKey(
        HolidaySource,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="holidays",
        verbose_name=_("source"),
    )
    # What the source calls it, the same each year's import anew; and the columns as they were
    # imported: what differs now was changed by a person, and no import touches it.
    source_key = models.CharField(_("key"), max_length=200, blank=True, editable=False)
    imported = models.JSONField(_("as imported"), null=True, blank=True, editable=False)
    known_at = models.DateTimeField(_("known since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")
        ordering = ["first_on", "last_on", "name"]
        constraints = [
            models.CheckConstraint(
                name="holiday_last_not_before_first",
                condition=Q(last_on__gte=F("first_on")),
                violation_error_message=_("The last day is not before the first."),
            ),
            models.CheckConstraint(
                name="holiday_part_of_day_in_order",
                condition=Q(starts__isnull=True) | Q(ends__isnull=True) | Q(starts__lt=F("ends")),
                violation_error_message=_("The end is after the beginning."),
            ),
            models.CheckConstraint(
                name="holiday_working_day_whole",
                condition=Q(
                    kind="working_day",
                    as_weekday__isnull=False,
                    as_weekday__lte=6,
                    starts__isnull=True,
                    ends__isnull=True,
                )
                | ~Q(kind="working_day") & Q(as_weekday__isnull=True),
                violation_error_message=_(
                    "Only a working day instead works like another weekday, and it does so whole."
                ),
            ),
            models.CheckConstraint(
                name="holiday_region_of_its_scope",
                condition=Q(scope="region", region__isnull=False)
                | ~Q(scope="region") & Q(region__isnull=True),
                violation_error_message=_(
                    "Name the region if it closes for teachers in a region, and only then."
                ),
            ),
            # Which hours count is the teacher's; what closes one course leaves them alone.
            models.CheckConstraint(
                name="holiday_working_day_of_teachers",
                condition=~Q(kind="working_day", scope="courses"),
                violation_error_message=_(
                    "A working day instead counts for the school, a region or teachers."
                ),
            ),
            models.UniqueConstraint(
                fields=list(ONCE),
                name="holiday_once",
                nulls_distinct=False,
                violation_error_message=_("This holiday is already entered."),
            ),
            models.UniqueConstraint(
                fields=["source", "source_key"],
                name="holiday_once_in_source",
                condition=~Q(source_key=""),
            ),
        ]
        indexes = [models.Index(fields=["last_on", "first_on"], name="holiday_days")]

    def __str__(self) -> str:
        return self.shown_name

    @property
    def shown_name(self) -> str:
        """In the reader's language, as far as it is known."""
        names: dict[str, Any] = self.names or {}
        return str(names.get(translation.get_language() or "") or self.name)

    def clean(self) -> None:
        wrong = self._wrong()
        if wrong:
            raise ValidationError(wrong)
        if self._already_entered():
            raise ValidationError(
                {"name": _("“%(name)s” is already entered for these days.") % {"name": self.name}}
            )

    def _wrong(self) -> dict[str, Any]:
        """By field, what to do about it."""
        wrong: dict[str, Any] = {}
        if self.first_on and self.last_on and self.last_on < self.first_on:
            wrong["last_on"] = _("The last day is not before the first.")
        if self.starts and self.ends and self.ends <= self.starts:
            wrong["ends"] = _("The end is after the beginning.")
        return wrong | (self._wrong_swap() if self.kind == self.Kind.WORKING_DAY else self._swap())

    def _swap(self) -> dict[str, Any]:
        if self.as_weekday is None:
            return {}
        return {"as_weekday": _("Only a working day instead works like another. Leave this empty.")}

    def _wrong_swap(self) -> dict[str, Any]:
        wrong: dict[str, Any] = {}
        if self.as_weekday is None:
            wrong["as_weekday"] = _("Say whose weekly hours count on this day.")
        for name in ("starts", "ends"):
            if getattr(self, name) is not None:
                wrong[name] = _("A working day instead is a whole day. Leave this empty.")
        if self.scope == self.Scope.COURSES:
            wrong["scope"] = _("A working day instead counts for the school, a region or teachers.")
        return wrong

    def _already_entered(self) -> bool:
        same = {name: getattr(self, name) for name in ONCE}
        found = Holiday.objects.filter(
            **{name: value for name, value in same.items() if value is not None},
            **{f"{name}__isnull": True for name, value in same.items() if value is None},
        )
        return found.exclude(pk=self.pk).exists()


def _leave_to_the_database(field: Any, side: str) -> None:
    """A teacher or a course that is deleted takes its rows along by the foreign key's own ON DELETE
    CASCADE (migration 0005). Django's would ask the table first, and it may have been archived."""
    field.through._meta.get_field(side).remote_field.on_delete = models.DO_NOTHING


_leave_to_the_database(Holiday.teachers, "teacher")
_leave_to_the_database(Holiday.courses, "course")
