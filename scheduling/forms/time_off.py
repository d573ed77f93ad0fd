"""Time off as a teacher says it: days and times of their own clock, whole days by leaving times out."""

from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils.translation import gettext_lazy as _

from enrollment.domain.clock import NoSuchTime, instant
from enrollment.domain.weeks import FIRST_DAY
from enrollment.models import Teacher
from scheduling.forms.hours import NOT_AFTER, clock_input, date_input
from scheduling.models import TimeOff
from scheduling.operations.time_off import check_begins, check_ends
from scheduling.queries.hours import DAY, as_said, midnight

if TYPE_CHECKING:
    _TimeOffModelForm = forms.ModelForm[TimeOff]
else:
    _TimeOffModelForm = forms.ModelForm

DAYS = (MinValueValidator(FIRST_DAY, _("No day before %(limit_value)s.")), NOT_AFTER)
TIMES = ("from_on", "from_at", "until_on", "until_at")
CLOCK = ("%H:%M", "%H:%M:%S")


class TimeOffTimes(_TimeOffModelForm):
    """The period by two days and two times. What is not touched stays as it is, to the second: in
    the hour that comes twice in autumn a wall clock alone would not say which one was meant."""

    from_on = forms.DateField(
        label=_("First day"), widget=date_input(), validators=DAYS, input_formats=["%Y-%m-%d"]
    )
    from_at = forms.TimeField(
        label=_("From"),
        required=False,
        widget=clock_input(),
        input_formats=CLOCK,
        help_text=_("Empty: from the beginning of that day."),
    )
    until_on = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=date_input(),
        validators=DAYS,
        input_formats=["%Y-%m-%d"],
        help_text=_("Counted in. Empty: the same day."),
    )
    until_at = forms.TimeField(
        label=_("Until"),
        required=False,
        widget=clock_input(),
        input_formats=CLOCK,
        help_text=_("Empty: until the end of that day."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.begun: datetime | None = None
        self.ended: datetime | None = None
        if self.instance.pk is not None:
            self.begun, self.ended = self.instance.starts_at, self.instance.ends_at
            said = as_said(self.instance)
            self.initial = {**{name: getattr(said, name) for name in TIMES}, **self.initial}

    def teacher_of_it(self) -> Teacher | None:
        """Whose clock it is; None while nobody is chosen."""
        raise NotImplementedError

    def moment(self) -> datetime:
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        teacher = self.teacher_of_it()
        if teacher is not None and not set(TIMES) & set(self.errors):
            self._take(answers, teacher)
        return answers

    def _take(self, answers: dict[str, Any], teacher: Teacher) -> None:
        starts_at, ends_at = self._starts(answers, teacher), self._ends(answers, teacher)
        if starts_at is None or ends_at is None:
            return
        if ends_at <= starts_at:
            is_day = answers["until_on"] and answers["until_on"] < answers["from_on"]
            self.add_error(
                "until_on" if is_day else "until_at",
                _("It ends later than it begins. For the end of a day leave the time empty."),
            )
            return
        self._try("from_on", check_begins, starts_at, before=self.begun, zone=teacher.zone)
        field = "until_at" if answers["until_at"] else "until_on"
        self._try(field, check_ends, ends_at, before=self.ended)
        self.instance.period = DateTimeTZRange(starts_at, ends_at)

    def _try(self, field: str, check: Any, at: datetime, **known: Any) -> None:
        try:
            check(at, **known, now=self.moment())
        except ValidationError as error:
            self.add_error(field, error)

    def _starts(self, answers: dict[str, Any], teacher: Teacher) -> datetime | None:
        if self.begun and not {"teacher", "from_on", "from_at"} & set(self.changed_data):
            return self.begun
        on, at = answers["from_on"], answers["from_at"]
        return self._instant("from_at", on, at, teacher) if at else midnight(on, teacher)

    def _ends(self, answers: dict[str, Any], teacher: Teacher) -> datetime | None:
        if self.ended and not {"teacher", *TIMES[2:]} & set(self.changed_data):
            return self.ended
        on, at = answers["until_on"] or answers["from_on"], answers["until_at"]
        # 00:00 is a time of its own: the midnight at which that day begins.
        if at is None:
            return midnight(on + DAY, teacher)
        return self._instant("until_at", on, at, teacher)

    def _instant(self, field: str, on: date, at: time, teacher: Teacher) -> datetime | None:
        try:
            return instant(on=on, at=at, zone=teacher.zone)
        except NoSuchTime as error:
            words = _("In %(zone)s the clocks go forward that night: choose %(time)s instead.")
            known = {"zone": teacher.zone, "time": f"{error.instead:%H:%M}"}
            self.add_error(field, ValidationError(words, code="no_such_time", params=known))
            return None


class TimeOffForm(TimeOffTimes):
    """Of one teacher."""

    class Meta:
        model = TimeOff
        fields = ("reason",)

    field_order = (*TIMES, "reason")

    def __init__(self, *args: Any, teacher: Teacher, now: datetime, **kwargs: Any) -> None:
        self.now = now
        super().__init__(*args, **kwargs)
        self.instance.teacher = teacher

    def teacher_of_it(self) -> Teacher:
        return self.instance.teacher

    def moment(self) -> datetime:
        return self.now
