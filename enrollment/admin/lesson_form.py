"""A lesson on the teacher's wall clock: what is asked, what is in the way, what is free instead."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from enrollment.admin.words import (
    day_and_time,
    enrollment_over,
    name_clash,
    no_credit,
    no_such_time,
)
from enrollment.domain.clock import NoSuchTime, instant
from enrollment.domain.nearby import Wish
from enrollment.domain.weeks import FIRST_DAY, LAST_DAY
from enrollment.models import Enrollment, Lesson, Teacher
from enrollment.operations.office import EnrollmentNotLive, check_can_have_lessons
from enrollment.queries.clashes import clashing_lesson, lesson_length
from enrollment.queries.make_up import open_credits
from enrollment.queries.nearby import nearest_free_times

TIMED = ("teacher", "local_on", "local_start")
DAYS = (
    MinValueValidator(FIRST_DAY, _("No day before %(limit_value)s.")),
    MaxValueValidator(LAST_DAY, _("No day after %(limit_value)s.")),
)


class Offer(NamedTuple):
    """A free time, in words and as the form's fields take it."""

    words: str
    on: date
    at: time


class TeacherHere(forms.ModelForm):  # type: ignore[type-arg]
    """Who is deleted may stay, and is not chosen anew."""

    def clean_teacher(self) -> Teacher | None:
        teacher: Teacher | None = self.cleaned_data["teacher"]
        is_new = teacher is not None and teacher.pk != self.instance.teacher_id
        if teacher and is_new and teacher.user.deleted_at is not None:
            raise forms.ValidationError(
                gettext("This teacher’s account is deleted. Choose another.")
            )
        return teacher


class Given(forms.Form):
    """What an address may fill in: `?teacher=3&local_on=2031-03-10`. Nonsense is passed over."""

    enrollment = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    teacher = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    local_on = forms.DateField(required=False, validators=DAYS, input_formats=["%Y-%m-%d"])
    local_start = forms.TimeField(required=False, input_formats=["%H:%M", "%H:%M:%S"])

    @classmethod
    def read(cls, query: QueryDict) -> dict[str, Any]:
        given = cls(query)
        given.is_valid()
        return {name: value for name, value in given.cleaned_data.items() if value is not None}


class LessonForm(TeacherHere):
    """Period, zone, student and course follow from what is asked.

    given: filled in by the address, on a page that was just opened. offers: free times, once the
    one that was asked for is not.
    """

    given: Mapping[str, Any] = {}

    use_credit = forms.BooleanField(
        label=_("Use the make-up credit"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("This lesson makes up for the oldest one that the school owes the student."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Kept in this lesson's history, where only the office reads it."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offers: list[Offer] = []
        if "enrollment" in self.fields:
            # Only a hold, which nobody plans by hand, has none.
            self.fields["enrollment"].required = True
        if "local_on" in self.fields:
            self.fields["local_on"].validators.extend(DAYS)
            self.fields["local_start"].help_text = gettext("On the teacher's clock.")
            self._begin_on_the_teachers_clock()

    def _begin_on_the_teachers_clock(self) -> None:
        lesson = self.instance
        if lesson.pk:
            # An imported lesson may have been agreed on another clock than its teacher's.
            local = timezone.localtime(lesson.starts_at, ZoneInfo(lesson.teacher.zone))
            self.initial["local_on"], self.initial["local_start"] = local.date(), local.time()
        self.initial.update({name: self.given[name] for name in TIMED if name in self.given})

    @property
    def filled_in(self) -> bool:
        return not self.is_bound and "local_start" in self.given

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        enrollment = answers.get("enrollment") or self.instance.enrollment
        if all(answers.get(name) is not None for name in TIMED) and enrollment:
            self._check_enrollment(enrollment)
            self._check_time(enrollment, *(answers[name] for name in TIMED))
        return answers

    def _check_enrollment(self, enrollment: Enrollment) -> None:
        if self.instance.pk:
            return
        try:
            check_can_have_lessons(enrollment)
        except EnrollmentNotLive:
            self.add_error("enrollment", enrollment_over())
        if self.cleaned_data.get("use_credit") and not open_credits(enrollment).exists():
            self.add_error("use_credit", no_credit())

    def _check_time(self, enrollment: Enrollment, teacher: Teacher, on: date, at: time) -> None:
        why = self._why_not(enrollment, teacher, on, at)
        if why:
            self.add_error("local_start", why)
            self._offer(enrollment, teacher, on, at)

    def _why_not(self, enrollment: Enrollment, teacher: Teacher, on: date, at: time) -> str:
        try:
            starts_at = instant(on=on, at=at, zone=teacher.zone)
        except NoSuchTime as error:
            return no_such_time(error, teacher)
        clash = self._clash(enrollment, teacher, starts_at)
        wanted = (starts_at, starts_at + self._length(enrollment))
        return name_clash(clash, teacher, wanted) if clash else ""

    def _clash(
        self, enrollment: Enrollment, teacher: Teacher, starts_at: datetime
    ) -> Lesson | None:
        return clashing_lesson(
            teacher=teacher,
            student=enrollment.student,
            starts_at=starts_at,
            ends_at=starts_at + self._length(enrollment),
            now=timezone.now(),
            apart_from=self._known(),
            course=enrollment.course,
        )

    def _offer(self, enrollment: Enrollment, teacher: Teacher, on: date, at: time) -> None:
        free = nearest_free_times(
            Wish(on=on, at=at, zone=teacher.zone, length=self._length(enrollment)),
            teacher=teacher,
            student=enrollment.student,
            now=timezone.now(),
            apart_from=self._known(),
            course=enrollment.course,
        )
        for start in free:
            local = timezone.localtime(start, ZoneInfo(teacher.zone))
            self.offers.append(Offer(day_and_time(start, teacher.zone), local.date(), local.time()))

    def _known(self) -> Lesson | None:
        return self.instance if self.instance.pk else None

    def _length(self, enrollment: Enrollment) -> timedelta:
        return lesson_length(self._known() or enrollment.course)

    def _get_validation_exclusions(self) -> set[str]:
        # The guard's own check would repeat, without a name, what `_check_time` has said.
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions | {"teacher", "student", "period"}
