from datetime import time

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, IntegerRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Cast, Coalesce, Extract, NullIf
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from enrollment.models import Teacher
from scheduling.domain.hours import first_overlap
from scheduling.domain.slots import DAY_SECONDS, FIRST_DAY, LAST_DAY, Rule

MIDNIGHT = time(0)


def validate_whole_minute(value: time) -> None:
    if value.second or value.microsecond:
        raise ValidationError(_("Give hours and minutes only, like 14:30."))


def seconds_of(value: time) -> int:
    return value.hour * 3600 + value.minute * 60 + value.second


def _epoch(name: str) -> Cast:
    return Cast(Extract(name, "epoch"), models.IntegerField())


class AvailabilityRule(models.Model):
    """A weekly offer of a teacher, on the teacher's own wall clock.

    `ends` may be 00:00, which is the midnight that ends the day. `valid_from` and `valid_until` are
    both counted; empty means without end.
    """

    teacher = models.ForeignKey(
        Teacher,
        on_delete=models.CASCADE,
        related_name="availability_rules",
        verbose_name=_("teacher"),
    )
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=list(WEEKDAYS.items()))
    starts = models.TimeField(_("from"), validators=[validate_whole_minute])
    ends = models.TimeField(
        _("to"), validators=[validate_whole_minute], help_text=_("00:00 is the end of the day.")
    )
    valid_from = models.DateField(
        _("first day"), null=True, blank=True, help_text=_("Counted in; empty: from always.")
    )
    valid_until = models.DateField(
        _("last day"), null=True, blank=True, help_text=_("Counted in; empty: without end.")
    )

    class Meta:
        verbose_name = _("weekly hours")
        verbose_name_plural = _("weekly hours")
        ordering = ["teacher", "weekday", "starts", "pk"]
        constraints = [
            models.CheckConstraint(
                name="availability_weekday", condition=Q(weekday__gte=0, weekday__lte=6)
            ),
            models.CheckConstraint(
                name="availability_ends_later",
                condition=Q(ends__gt=F("starts")) | Q(ends=MIDNIGHT),
                violation_error_message=_("Hours end later than they begin."),
            ),
            models.CheckConstraint(
                name="availability_valid_days",
                condition=Q(valid_until__gte=F("valid_from"))
                | Q(valid_from__isnull=True)
                | Q(valid_until__isnull=True),
                violation_error_message=_("The last day is not before the first."),
            ),
            ExclusionConstraint(
                name="availability_once",
                expressions=[
                    ("teacher", RangeOperators.EQUAL),
                    ("weekday", RangeOperators.EQUAL),
                    (
                        Func(
                            _epoch("starts"),
                            Coalesce(NullIf(_epoch("ends"), Value(0)), Value(DAY_SECONDS)),
                            function="int4range",
                            output_field=IntegerRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                    (
                        Func(
                            F("valid_from"),
                            F("valid_until"),
                            Value("[]"),
                            function="daterange",
                            output_field=DateRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                violation_error_message=_("These hours overlap other hours of this teacher."),
            ),
        ]

    def __str__(self) -> str:
        return f"{WEEKDAYS[self.weekday]} {self.starts:%H:%M}–{self.ends:%H:%M}"

    def clean(self) -> None:
        if self.starts and self.ends and not (self.ends > self.starts or self.ends == MIDNIGHT):
            raise ValidationError({"ends": _("Hours end later than they begin.")})
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValidationError({"valid_until": _("The last day is not before the first.")})
        self._refuse_overlap()

    def as_rule(self) -> Rule:
        return Rule(
            weekday=self.weekday,
            starts=seconds_of(self.starts),
            ends=seconds_of(self.ends) or DAY_SECONDS,
            first_day=self.valid_from.toordinal() if self.valid_from else FIRST_DAY,
            last_day=self.valid_until.toordinal() if self.valid_until else LAST_DAY,
        )

    def in_words(self) -> str:
        """With its days of validity, to tell it from another on the same weekday."""
        days = {"hours": str(self)}
        if self.valid_from:
            days["first"] = date_format(self.valid_from, "DATE_FORMAT")
        if self.valid_until:
            days["last"] = date_format(self.valid_until, "DATE_FORMAT")
        if self.valid_from and self.valid_until:
            return gettext("%(hours)s (from %(first)s until %(last)s)") % days
        if self.valid_from:
            return gettext("%(hours)s (from %(first)s on)") % days
        if self.valid_until:
            return gettext("%(hours)s (until %(last)s)") % days
        return days["hours"]

    def _refuse_overlap(self) -> None:
        """Names the other window; the exclusion constraint only knows that there is one.

        :raises ValidationError:
        """
        if self.teacher_id is None or self.weekday is None or not (self.starts and self.ends):
            return
        others = {
            rule.pk: rule
            for rule in AvailabilityRule.objects.filter(
                teacher_id=self.teacher_id, weekday=self.weekday
            ).exclude(pk=self.pk)
        }
        key = first_overlap(self.as_rule(), ((pk, rule.as_rule()) for pk, rule in others.items()))
        if key is not None:
            raise ValidationError(
                {
                    "starts": ValidationError(
                        _("Overlaps the hours on %(other)s. Change those, or choose another time."),
                        code="overlap",
                        params={"other": others[key].in_words()},
                    )
                }
            )
