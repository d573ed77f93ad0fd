from datetime import time

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, IntegerRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, F, Func, Q, Value, When
from django.db.models.functions import Cast, Extract
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from enrollment.models import Teacher
from scheduling.domain.clock import DAY_SECONDS
from scheduling.domain.hours import FIRST_DAY, LAST_DAY, Rule, first_overlap

MIDNIGHT = time(0)
MOST_WEEKS = 52


def validate_whole_minute(value: time) -> None:
    if value.second or value.microsecond:
        raise ValidationError(_("Give hours and minutes only, like 14:30."))


def seconds_of(value: time) -> int:
    return value.hour * 3600 + value.minute * 60 + value.second


def window(starts: time, ends: time, *, next_day: bool) -> tuple[int, int]:
    """Seconds after the midnight at which the day begins."""
    until = seconds_of(ends)
    return seconds_of(starts), until + DAY_SECONDS if next_day or not until else until


def _epoch(name: str) -> Cast:
    return Cast(Extract(name, "epoch"), models.IntegerField())


def window_range(*, weekday: bool) -> Case:
    """The window as int4range, in seconds of its day or, with `weekday`, of its week.

    NULL, which overlaps nothing, where there are no hours or not every week. A constraint's own
    condition would be simpler, but Django cannot validate one whose fields are missing in a form.
    """
    next_day = Case(
        When(Q(ends_next_day=True) | Q(ends=MIDNIGHT), then=Value(DAY_SECONDS)), default=Value(0)
    )
    start, end = _epoch("starts"), _epoch("ends") + next_day
    day = F("weekday") * Value(DAY_SECONDS)
    field = IntegerRangeField()
    bounds = (day + start, day + end) if weekday else (start, end)
    counts = Q(every_weeks=1) if weekday else Q(starts__isnull=False)
    return Case(
        When(counts, then=Func(*bounds, function="int4range", output_field=field)),
        output_field=field,
    )


# Up to 24 hours: what ends on the next day ends before the hour at which it began.
WINDOW_IS_SOUND = (Q(ends_next_day=False) & (Q(ends__gt=F("starts")) | Q(ends=MIDNIGHT))) | (
    Q(ends_next_day=True) & Q(ends__lte=F("starts"))
)


def check_window(starts: time, ends: time, *, next_day: bool) -> None:
    """:raises ValidationError: at the field `ends`."""
    if next_day and ends > starts:
        raise ValidationError(
            {"ends": _("Hours last 24 hours at most. End them earlier, or enter two.")}
        )
    if not (next_day or ends > starts or ends == MIDNIGHT):
        raise ValidationError(
            {
                "ends": _(
                    "Hours end later than they begin. If they go on past midnight, say that they "
                    "end on the next day."
                )
            }
        )


class AvailabilityRule(models.Model):
    """A weekly offer of a teacher, on the teacher's own wall clock.

    `ends` may be 00:00, which is the midnight that ends the day. `valid_from` and `valid_until` are
    the first and last day on which the hours begin; empty means without end.
    """

    teacher = models.ForeignKey(
        Teacher,
        on_delete=models.DO_NOTHING,
        related_name="availability_rules",
        verbose_name=_("teacher"),
    )
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=list(WEEKDAYS.items()))
    starts = models.TimeField(_("from"), validators=[validate_whole_minute])
    ends = models.TimeField(
        _("to"), validators=[validate_whole_minute], help_text=_("00:00 is the end of the day.")
    )
    ends_next_day = models.BooleanField(
        _("ends on the next day"),
        default=False,
        db_default=False,
        help_text=_("For hours that go on past midnight."),
    )
    every_weeks = models.PositiveSmallIntegerField(
        _("every so many weeks"),
        default=1,
        db_default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_WEEKS)],
        help_text=_("1 is every week, 2 every other week, counted from the week of the first day."),
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
                condition=WINDOW_IS_SOUND,
                violation_error_message=_("Hours end later than they begin."),
            ),
            models.CheckConstraint(
                name="availability_valid_days",
                condition=Q(valid_until__gte=F("valid_from"))
                | Q(valid_from__isnull=True)
                | Q(valid_until__isnull=True),
                violation_error_message=_("The last day is not before the first."),
            ),
            models.CheckConstraint(
                name="availability_every_weeks",
                condition=Q(every_weeks=1)
                | Q(every_weeks__gt=1, every_weeks__lte=MOST_WEEKS, valid_from__isnull=False),
                violation_error_message=_("Say from which day on: the weeks are counted from it."),
            ),
            # Of hours that hold every week. The others, and what reaches from Sunday into Monday,
            # are checked under the teacher's lock; two that overlap are offered once anyway.
            ExclusionConstraint(
                name="availability_once",
                expressions=[
                    ("teacher", RangeOperators.EQUAL),
                    (window_range(weekday=True), RangeOperators.OVERLAPS),
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
        if self.starts is not None and self.ends is not None:
            check_window(self.starts, self.ends, next_day=self.ends_next_day)
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValidationError({"valid_until": _("The last day is not before the first.")})
        if self.every_weeks and self.every_weeks > 1 and not self.valid_from:
            raise ValidationError(
                {"valid_from": _("Say from which day on: the weeks are counted from it.")}
            )
        self._refuse_overlap()

    def as_rule(self) -> Rule:
        starts, ends = window(self.starts, self.ends, next_day=self.ends_next_day)
        return Rule(
            weekday=self.weekday,
            starts=starts,
            ends=ends,
            first_day=self.valid_from.toordinal() if self.valid_from else FIRST_DAY,
            last_day=self.valid_until.toordinal() if self.valid_until else LAST_DAY,
            every_weeks=self.every_weeks,
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
        needed = (self.teacher_id, self.weekday, self.starts, self.ends, self.every_weeks)
        if None in needed:
            return
        rules = AvailabilityRule.objects.filter(teacher_id=self.teacher_id)
        others = {rule.pk: rule for rule in rules.exclude(pk=self.pk)}
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
