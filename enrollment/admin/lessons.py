"""Lessons, planned by hand: this page needs nothing but the ground floor."""

import re
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from enrollment.admin.pressed import PressedAdmin, Refused
from enrollment.admin.sheets import SheetAdmin
from enrollment.domain.clock import NoSuchTime, instant
from enrollment.domain.states import LESSON_STEPS, LessonStatus, StepNotAllowed
from enrollment.models import Enrollment, Lesson, Teacher
from enrollment.operations.lessons import SlotTaken, describe, move_lesson
from enrollment.operations.office import (
    EnrollmentNotLive,
    check_can_have_lessons,
    plan_by_hand,
    reschedule_lesson,
)
from enrollment.queries.clashes import clashing_lesson, lesson_end

TIMED = ("teacher", "local_on", "local_start")
FACTS = ("course", "student", "enrollment", "status", "agreed", "expires_at")
BUTTONS = {"done": Lesson.Status.DONE, "cancel": Lesson.Status.CANCELLED}


class LessonForm(ModelForm):  # type: ignore[type-arg]
    """Asks for the teacher's wall clock; period, zone, student and course follow from it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "enrollment" in self.fields:
            # Only a hold, which nobody plans by hand, has none.
            self.fields["enrollment"].required = True
        if "local_start" in self.fields:
            self.fields["local_start"].help_text = gettext("On the teacher's clock.")
        lesson = self.instance
        if lesson.pk and "local_on" in self.fields:
            # An imported lesson may have been agreed on another clock than its teacher's.
            local = timezone.localtime(lesson.starts_at, ZoneInfo(lesson.teacher.zone))
            self.initial["local_on"], self.initial["local_start"] = local.date(), local.time()

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
            self.add_error("enrollment", gettext("This enrollment is over; nothing is planned."))

    def _check_time(self, enrollment: Enrollment, teacher: Teacher, on: date, at: time) -> None:
        try:
            starts_at = instant(on=on, at=at, zone=teacher.zone)
        except NoSuchTime as error:
            self.add_error("local_start", no_such_time(error, teacher))
            return
        clash = self._clash(enrollment, teacher, starts_at)
        if clash is not None:
            self.add_error("local_start", name_clash(clash, teacher))

    def _clash(
        self, enrollment: Enrollment, teacher: Teacher, starts_at: datetime
    ) -> Lesson | None:
        lesson = self.instance if self.instance.pk else None
        return clashing_lesson(
            teacher=teacher,
            student=enrollment.student,
            starts_at=starts_at,
            ends_at=lesson_end(lesson or enrollment.course, starts_at=starts_at),
            now=timezone.now(),
            apart_from=lesson,
        )

    def _get_validation_exclusions(self) -> set[str]:
        # The guard's own check would repeat, without a name, what `_check_time` has said.
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions | {"teacher", "student", "period"}


def no_such_time(error: NoSuchTime, teacher: Teacher) -> str:
    words = gettext("In %(zone)s the clocks go forward that night: choose %(time)s instead.")
    return words % {"zone": teacher.zone, "time": f"{error.instead:%H:%M}"}


def name_clash(clash: Lesson, teacher: Teacher) -> str:
    facts = {
        "who": clash.teacher if clash.teacher_id == teacher.pk else clash.student,
        "course": clash.course,
        "when": describe(clash),
        "student": clash.student,
        "teacher": clash.teacher,
    }
    if clash.status == LessonStatus.HELD:
        words = gettext("%(who)s: a slot is being held just now for %(student)s, %(when)s.")
    else:
        words = gettext(
            "%(who)s already has a lesson then: %(course)s, %(when)s, %(student)s with %(teacher)s."
        )
    return words % facts


@admin.register(Lesson)
class LessonAdmin(SheetAdmin, PressedAdmin):
    form = LessonForm
    list_per_page = 25
    list_display = ("local_on", "local_start", "zone", "course", "teacher", "student", "state")
    list_display_links = ("local_on", "local_start")
    list_filter = ("status", "local_on", ("teacher", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("course", "teacher", "student__user")
    search_fields = (
        "student__user__last_name",
        "student__user__first_name",
        "student__user__email",
        "teacher__display_name",
        "course__title",
    )
    autocomplete_fields = ("enrollment", "teacher")
    date_hierarchy = "local_on"
    ordering = ("-local_on", "-local_start", "-pk")
    show_full_result_count = False
    actions = ("cancel_selected",)
    actions_submit_line = tuple(BUTTONS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lesson]:
        lessons: QuerySet[Lesson] = super().get_queryset(request)
        return lessons.select_related("course", "teacher", "student__user", "enrollment")

    def get_fields(self, request: HttpRequest, obj: Lesson | None = None) -> Any:
        return ("enrollment", *TIMED) if obj is None else (*TIMED, *FACTS)

    def get_readonly_fields(self, request: HttpRequest, obj: Lesson | None = None) -> Any:
        if obj is None:
            return ()
        return FACTS if obj.status == LessonStatus.PLANNED else (*TIMED, *FACTS)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The enrollment's own teacher too, where an enrollment is given in the address."""
        given: dict[str, Any] = super().get_changeform_initial_data(request)
        # An autocomplete asks the database for whatever stands there.
        initial = {name: given[name] for name in given if re.fullmatch("[0-9]{1,18}", given[name])}
        if "enrollment" in initial and "teacher" not in initial:
            found = Enrollment.objects.filter(pk=initial["enrollment"])
            initial["teacher"] = found.values_list("teacher", flat=True).first()
        return initial

    @admin.display(description=_("agreed"))
    def agreed(self, lesson: Lesson) -> str:
        return describe(lesson)

    def has_delete_permission(self, request: HttpRequest, obj: Lesson | None = None) -> bool:
        """A lesson is cancelled, so that everybody can see that it was to be."""
        return False

    @display(
        description=_("status"),
        ordering="status",
        label={"held": "warning", "planned": "info", "done": "success", "cancelled": "danger"},
    )
    def state(self, lesson: Lesson) -> tuple[str, str]:
        return lesson.status, lesson.get_status_display()

    def save_model(self, request: HttpRequest, obj: Lesson, form: Any, change: bool) -> None:
        try:
            if not change:
                made = plan_by_hand(**_answers(form), now=timezone.now())
                obj.pk = made.pk
            elif form.changed_data:
                reschedule_lesson(lesson=obj, **_answers(form), now=timezone.now())
        except SlotTaken as taken:
            raise Refused(
                gettext("This time has just been taken. Please choose another.")
            ) from taken
        except StepNotAllowed as refused:
            raise Refused(str(refused)) from refused
        obj.refresh_from_db()
        if change:
            self.run_pressed(request, obj)

    def get_actions_submit_line(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """The steps the state table allows from here."""
        status = Lesson.objects.values_list("status", flat=True).filter(pk=object_id).first()
        allowed = LESSON_STEPS[status] if status else frozenset()
        names = [name for name, target in BUTTONS.items() if target in allowed]
        return self.only(names, super().get_actions_submit_line(request, object_id))

    @action(description=_("Done"), permissions=["change"])
    def done(self, request: HttpRequest, obj: Lesson) -> None:
        self._move(obj, Lesson.Status.DONE)

    @action(description=_("Cancel lesson"), permissions=["change"])
    def cancel(self, request: HttpRequest, obj: Lesson) -> None:
        self._move(obj, Lesson.Status.CANCELLED)

    def _move(self, lesson: Lesson, status: str) -> None:
        try:
            move_lesson(lesson=lesson, status=status)
        except StepNotAllowed as refused:
            raise Refused(str(refused)) from refused

    @admin.action(description=_("Cancel selected lessons"), permissions=["change"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Lesson]) -> None:
        planned = queryset.filter(status=LessonStatus.PLANNED).order_by("pk")
        others = queryset.exclude(status=LessonStatus.PLANNED).count()
        count = 0
        for lesson in planned:
            move_lesson(lesson=lesson, status=LessonStatus.CANCELLED)
            count += 1
        done = ngettext("%(count)d lesson cancelled.", "%(count)d lessons cancelled.", count)
        self.message_user(request, done % {"count": count}, messages.SUCCESS)
        if others:
            left = ngettext(
                "%(count)d was not planned and stays.",
                "%(count)d were not planned and stay.",
                others,
            )
            self.message_user(request, left % {"count": others}, messages.WARNING)


def _answers(form: Any) -> dict[str, Any]:
    """What was asked, in the words of the operations."""
    answers = form.cleaned_data
    asked = {"teacher": answers["teacher"], "on": answers["local_on"], "at": answers["local_start"]}
    return asked | ({"enrollment": answers["enrollment"]} if "enrollment" in answers else {})
