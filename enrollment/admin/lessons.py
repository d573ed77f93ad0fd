"""Lessons, planned by hand: these pages need nothing but the ground floor."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from enrollment.admin import several, week
from enrollment.admin.lesson_form import TIMED, Given, LessonForm
from enrollment.admin.pressed import PressedAdmin, Refused
from enrollment.admin.sheets import SheetAdmin
from enrollment.admin.words import (
    because,
    change_in_words,
    enrollment_over,
    moved,
    no_credit,
    place,
    somebody_gone,
)
from enrollment.domain.states import LESSON_STEPS, LessonStatus, StepNotAllowed
from enrollment.models import Enrollment, Lesson, User
from enrollment.operations.lessons import PersonDeleted, SlotTaken, describe, move_lesson
from enrollment.operations.make_up import NoCredit
from enrollment.operations.office import EnrollmentNotLive, plan_by_hand, reschedule_lesson

FACTS = ("course", "student", "enrollment", "status", "agreed", "expires_at", "changed")
BUTTONS = {"done": Lesson.Status.DONE, "cancel": Lesson.Status.CANCELLED}


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
    actions = ("move_selected", "cancel_selected")
    actions_list = ("week", "day")
    actions_submit_line = tuple(BUTTONS)
    change_form_before_template = "admin/enrollment/lesson/offers.html"
    # Pages of their own that the index and the side bar name beside the list.
    pages = (("week", _("Week by teacher")), ("day", _("Day of all teachers")))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lesson]:
        lessons: QuerySet[Lesson] = super().get_queryset(request)
        return lessons.select_related("course", "teacher", "student__user", "enrollment")

    def get_fields(self, request: HttpRequest, obj: Lesson | None = None) -> Any:
        if obj is None:
            return ("enrollment", *TIMED, "use_credit")
        can_step = bool(LESSON_STEPS[obj.status])
        return (*TIMED, "reason", *FACTS) if can_step else (*TIMED, *FACTS)

    def get_readonly_fields(self, request: HttpRequest, obj: Lesson | None = None) -> Any:
        if obj is None:
            return ()
        return FACTS if obj.status == LessonStatus.PLANNED else (*TIMED, *FACTS)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        if request.method == "GET":
            # Never with a POST: what was typed would be compared with it, and found unchanged.
            form.given = Given.read(request.GET)
        return form

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The enrollment's own teacher too, where an enrollment is given in the address."""
        initial = Given.read(request.GET)
        if "enrollment" in initial and "teacher" not in initial:
            found = Enrollment.objects.filter(pk=initial["enrollment"])
            initial["teacher"] = found.values_list("teacher", flat=True).first()
        return initial

    @admin.display(description=_("agreed"))
    def agreed(self, lesson: Lesson) -> str:
        return describe(lesson)

    @admin.display(description=_("what happened"))
    def changed(self, lesson: Lesson) -> str:
        changes = lesson.changes.select_related("by", "teacher_before")
        lines = ((change_in_words(change, lesson.zone),) for change in changes)
        return format_html_join("", "<p>{}</p>", lines) or "–"

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
        if not change:
            self._plan(request, obj, form)
            return
        known = Lesson.objects.select_related("teacher").get(pk=obj.pk)
        before = place(known)
        if set(TIMED) & set(form.changed_data):
            self._reschedule(request, obj, form)
        obj.refresh_from_db()
        request.reason = form.cleaned_data.get("reason", "")  # type: ignore[attr-defined]
        self.run_pressed(request, obj)
        form.story = _story(obj, before=before, status=known.status)

    def _plan(self, request: HttpRequest, obj: Lesson, form: Any) -> None:
        with _refusals():
            made = plan_by_hand(
                **_answers(form),
                now=timezone.now(),
                by=cast(User, request.user),
                use_credit=form.cleaned_data["use_credit"],
            )
        obj.pk = made.pk
        obj.refresh_from_db()

    def _reschedule(self, request: HttpRequest, obj: Lesson, form: Any) -> None:
        with _refusals():
            reschedule_lesson(
                lesson=obj,
                **_answers(form),
                now=timezone.now(),
                by=cast(User, request.user),
                reason=form.cleaned_data.get("reason", ""),
            )

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """From where to where, and why: a list of changed fields would not say."""
        if add:
            return super().construct_change_message(request, form, formsets, add)
        return because(form.story, form.cleaned_data.get("reason", ""))

    def get_actions_submit_line(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """The steps the state table allows from here."""
        status = Lesson.objects.values_list("status", flat=True).filter(pk=object_id).first()
        allowed = LESSON_STEPS[status] if status else frozenset()
        names = [name for name, target in BUTTONS.items() if target in allowed]
        return self.only(names, super().get_actions_submit_line(request, object_id))

    @action(description=_("Done"), permissions=["change"])
    def done(self, request: HttpRequest, obj: Lesson) -> None:
        self._move(request, obj, Lesson.Status.DONE)

    @action(description=_("Cancel lesson"), permissions=["change"])
    def cancel(self, request: HttpRequest, obj: Lesson) -> None:
        self._move(request, obj, Lesson.Status.CANCELLED)

    def _move(self, request: HttpRequest, lesson: Lesson, status: str) -> None:
        with _refusals():
            move_lesson(
                lesson=lesson,
                status=status,
                now=timezone.now(),
                by=cast(User, request.user),
                reason=getattr(request, "reason", ""),
            )

    @admin.action(description=_("Move selected lessons"), permissions=["change"])
    def move_selected(self, request: HttpRequest, queryset: QuerySet[Lesson]) -> HttpResponse:
        return several.move(self, request, queryset)

    @admin.action(description=_("Cancel selected lessons"), permissions=["change"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Lesson]) -> HttpResponse:
        return several.cancel(self, request, queryset)

    @action(description=_("Week"), url_path="week", permissions=["view"], icon="calendar_view_week")
    def week(self, request: HttpRequest) -> HttpResponse:
        return week.week_page(self, request)

    @action(description=_("Day"), url_path="day", permissions=["view"], icon="calendar_view_day")
    def day(self, request: HttpRequest) -> HttpResponse:
        return week.day_page(self, request)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except SlotTaken as taken:
        raise Refused(gettext("This time has just been taken. Please choose another.")) from taken
    except StepNotAllowed as refused:
        raise Refused(str(refused)) from refused
    except PersonDeleted as gone:
        raise Refused(somebody_gone()) from gone
    except NoCredit as none:
        raise Refused(no_credit()) from none
    except EnrollmentNotLive as over:
        raise Refused(enrollment_over()) from over


def _story(lesson: Lesson, *, before: str, status: str) -> str:
    """What was done to it, for its history."""
    after = place(lesson)
    done = [moved(before=before, after=after)] if before != after else []
    if lesson.status != status:
        done.append(gettext("Now: %(status)s.") % {"status": lesson.get_status_display()})
    return " ".join(done) or gettext("Nothing was changed.")


def _answers(form: Any) -> dict[str, Any]:
    """What was asked, in the words of the operations."""
    answers = form.cleaned_data
    asked = {"teacher": answers["teacher"], "on": answers["local_on"], "at": answers["local_start"]}
    return asked | ({"enrollment": answers["enrollment"]} if "enrollment" in answers else {})
