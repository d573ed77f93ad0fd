"""Dates on which a teacher's hours differ, and time in which there are none."""

from datetime import datetime

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GistIndex
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from enrollment.models import Teacher
from scheduling.domain.hours import DayHours
from scheduling.models.rules import (
    WINDOW_IS_SOUND,
    check_window,
    validate_whole_minute,
    window,
    window_range,
)


class AvailabilityException(models.Model):
    """One date of the teacher's calendar that differs from its weekday.

    REPLACE: the weekly hours that begin on this date do not count, but these; several such rows are
    several windows, one without hours is a day without any. ADD: these hours besides.
    """

    class Kind(models.TextChoices):
        REPLACE = "replace", _("Instead of the weekly hours")
        ADD = "add", _("Besides the weekly hours")

    teacher = models.ForeignKey(
        Teacher,
        on_delete=models.DO_NOTHING,
        related_name="availability_exceptions",
        verbose_name=_("teacher"),
    )
    day_on = models.DateField(_("date"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.REPLACE)
    starts = models.TimeField(
        _("from"),
        null=True,
        blank=True,
        validators=[validate_whole_minute],
        help_text=_("Leave both times empty for a day without hours."),
    )
    ends = models.TimeField(
        _("to"),
        null=True,
        blank=True,
        validators=[validate_whole_minute],
        help_text=_("00:00 is the end of the day."),
    )
    ends_next_day = models.BooleanField(
        _("ends on the next day"),
        default=False,
        db_default=False,
        help_text=_("For hours that go on past midnight."),
    )
    note = models.CharField(
        _("note"), max_length=200, blank=True, help_text=_("Only you and the office read it.")
    )

    class Meta:
        verbose_name = _("different hours on a date")
        verbose_name_plural = _("different hours on a date")
        ordering = ["teacher", "day_on", "starts", "pk"]
        constraints = [
            models.CheckConstraint(
                name="exception_hours_sound",
                condition=(Q(starts__isnull=False, ends__isnull=False) & WINDOW_IS_SOUND)
                | Q(starts__isnull=True, ends__isnull=True, ends_next_day=False, kind="replace"),
                violation_error_message=_("Hours end later than they begin."),
            ),
            ExclusionConstraint(
                name="exception_once",
                expressions=[
                    ("teacher", RangeOperators.EQUAL),
                    ("day_on", RangeOperators.EQUAL),
                    (window_range(weekday=False), RangeOperators.OVERLAPS),
                ],
                violation_error_message=_("These hours overlap other hours of this date."),
            ),
            models.UniqueConstraint(
                fields=["teacher", "day_on"],
                condition=Q(starts__isnull=True),
                name="exception_empty_once",
                violation_error_message=_("This date has no hours already."),
            ),
        ]

    def __str__(self) -> str:
        day = date_format(self.day_on, "DATE_FORMAT")
        if self.starts is None or self.ends is None:
            return f"{day}: –"
        return f"{day}: {self.starts:%H:%M}–{self.ends:%H:%M}"

    def clean(self) -> None:
        if (self.starts is None) != (self.ends is None):
            missing = "ends" if self.ends is None else "starts"
            raise ValidationError({missing: _("Give both times, or none.")})
        if self.starts is None or self.ends is None:
            if self.kind == self.Kind.ADD:
                raise ValidationError({"starts": _("Say which hours are added.")})
            if self.ends_next_day:
                raise ValidationError({"ends_next_day": _("Without hours nothing ends.")})
        else:
            check_window(self.starts, self.ends, next_day=self.ends_next_day)
        self._refuse_clash()

    def as_hours(self) -> DayHours:
        starts, ends = 0, 0
        if self.starts is not None and self.ends is not None:
            starts, ends = window(self.starts, self.ends, next_day=self.ends_next_day)
        replaces = self.kind == self.Kind.REPLACE
        return DayHours(day=self.day_on.toordinal(), replaces=replaces, starts=starts, ends=ends)

    def _refuse_clash(self) -> None:
        """Names the other row of the date; the constraints only know that there is one.

        :raises ValidationError:
        """
        if self.teacher_id is None or self.day_on is None:
            return
        rows = AvailabilityException.objects.filter(teacher_id=self.teacher_id, day_on=self.day_on)
        mine = self.as_hours()
        for other in rows.exclude(pk=self.pk):
            there = other.as_hours()
            if self.starts is None and other.kind == self.Kind.REPLACE:
                raise ValidationError(
                    {"day_on": _("There are other hours for this date. Delete those first.")}
                )
            if other.starts is None and self.kind == self.Kind.REPLACE:
                raise ValidationError(
                    {"day_on": _("This date is said to have no hours. Delete that first.")}
                )
            if mine.starts < there.ends and there.starts < mine.ends:
                raise ValidationError(
                    {
                        "starts": ValidationError(
                            _("Overlaps %(other)s. Change that, or choose another time."),
                            code="overlap",
                            params={"other": str(other)},
                        )
                    }
                )


class TimeOff(models.Model):
    """When a teacher gives no lessons, whatever the hours say. The reason is theirs."""

    teacher = models.ForeignKey(
        Teacher, on_delete=models.DO_NOTHING, related_name="time_off", verbose_name=_("teacher")
    )
    period = DateTimeRangeField(_("period"))
    reason = models.CharField(
        _("reason"),
        max_length=200,
        blank=True,
        help_text=_("Only you and the office read it. Students read that you are away."),
    )

    class Meta:
        verbose_name = _("time off")
        verbose_name_plural = _("time off")
        ordering = ["period", "pk"]
        constraints = [
            models.CheckConstraint(
                name="time_off_period_finite",
                condition=Q(
                    period__isempty=False,
                    period__lower_inf=False,
                    period__upper_inf=False,
                    period__lower_inc=True,
                    period__upper_inc=False,
                ),
                violation_error_message=_("Time off begins, and ends later."),
            ),
        ]
        indexes = [GistIndex(fields=["teacher", "period"], name="time_off_of_teacher")]

    def __str__(self) -> str:
        return self.reason or str(self._meta.verbose_name)

    @property
    def starts_at(self) -> datetime:
        start: datetime = self.period.lower
        return start

    @property
    def ends_at(self) -> datetime:
        end: datetime = self.period.upper
        return end
