"""Enrollments: entered by the office under the same rules, moved along the state table only."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import action, display

from enrollment.admin.lesson_form import TeacherHere
from enrollment.admin.make_up import credits_in_words
from enrollment.admin.pressed import PressedAdmin, Refused
from enrollment.admin.progress import TickMixin, progress_in_words
from enrollment.admin.series import series_page
from enrollment.admin.sheets import SheetAdmin
from enrollment.domain.states import ENROLLMENT_STEPS, LIVE_ENROLLMENT, StepNotAllowed
from enrollment.models import Enrollment, Lesson, User
from enrollment.operations.enroll import (
    AlreadyEnrolled,
    CourseClosed,
    CourseFull,
    EnrollmentRefused,
    check_can_enroll,
)
from enrollment.operations.office import enroll_by_office, move_enrollment

ENTERED_ONCE = ("student", "course")
FACTS = ("status", "progress", "owed", "flow", "created_at", "confirmation_sent_at")
KEPT = ("teacher", "wished_times", "note", "office_note", "payment_reference")
BUTTONS = {
    "confirm": Enrollment.Status.CONFIRMED,
    "decline": Enrollment.Status.DECLINED,
    "complete": Enrollment.Status.COMPLETED,
    "cancel": Enrollment.Status.CANCELLED,
}


def why_refused(refused: EnrollmentRefused) -> str:
    """For the office, which can do something about it."""
    if isinstance(refused, AlreadyEnrolled):
        return gettext("This student is already enrolled in this course.")
    if isinstance(refused, CourseFull):
        return gettext("Every place of this course is taken. Give it more places first.")
    if isinstance(refused, CourseClosed):
        return gettext("This course is not open for enrollment today. Change its dates first.")
    return gettext("This teacher does not teach this course.")


def why_it_stays(paid: Enrollment) -> str:
    words = gettext(
        "%(enrollment)s has the payment reference %(reference)s, which stays in the books. Cancel "
        "the enrollment instead."
    )
    return words % {"enrollment": paid, "reference": paid.payment_reference}


class EnrollmentForm(TeacherHere):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"wished_times", "note", "office_note"} & self.fields.keys():
            self.fields[name].widget.attrs["rows"] = 3

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.pk is None and answers.get("student") and answers.get("course"):
            try:
                check_can_enroll(
                    student=answers["student"],
                    course=answers["course"],
                    teacher=answers.get("teacher"),
                    now=timezone.now(),
                )
            except EnrollmentRefused as refused:
                raise forms.ValidationError(why_refused(refused)) from refused
        return answers


class LessonInline(TabularInline):
    """To be read; a lesson is planned, moved and cancelled on its own page."""

    model = Lesson
    fields = ("local_on", "local_start", "zone", "teacher", "status")
    readonly_fields = fields
    ordering = ("period",)
    extra = 0
    can_delete = False
    show_change_link = True
    tab = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lesson]:
        lessons: QuerySet[Lesson] = super().get_queryset(request)
        return lessons.select_related("teacher", "course")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Enrollment)
class EnrollmentAdmin(TickMixin, SheetAdmin, PressedAdmin):
    form = EnrollmentForm
    list_display = ("student", "course", "teacher", "state", "flow", "created_at")
    list_display_links = ("student", "course")
    list_filter = ("status", "flow", ("course", admin.RelatedOnlyFieldListFilter))
    search_fields = (
        "student__user__last_name",
        "student__user__first_name",
        "student__user__email",
        "course__title",
        "payment_reference",
    )
    autocomplete_fields = ("student", "course", "teacher")
    inlines = (LessonInline,)
    actions = ("confirm_selected", "decline_selected")
    actions_submit_line = tuple(BUTTONS)
    actions_detail = ("plan_lesson", "plan_series", "tick_units")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrollment]:
        # An enrollment's name is its student's and its course's, in autocompletes too.
        enrollments: QuerySet[Enrollment] = super().get_queryset(request)
        return enrollments.select_related("student__user", "course", "teacher")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """One enrollment or a selection: what was paid for stays in the books."""
        rows, counts, missing, protected = super().get_deleted_objects(objs, request)
        paid = [why_it_stays(one) for one in objs if one.payment_reference]
        return rows, counts, missing, [*paid, *protected]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Enrollment], search_term: str
    ) -> tuple[QuerySet[Enrollment], bool]:
        found, repeated = super().get_search_results(request, queryset, search_term)
        # Lessons are planned for enrollments that are not over.
        if request.GET.get("model_name") == "lesson":
            found = found.filter(status__in=LIVE_ENROLLMENT)
        return found, repeated

    def get_fields(self, request: HttpRequest, obj: Enrollment | None = None) -> Any:
        return (*ENTERED_ONCE, *KEPT) if obj is None else (*ENTERED_ONCE, *FACTS, *KEPT)

    def get_readonly_fields(self, request: HttpRequest, obj: Enrollment | None = None) -> Any:
        return () if obj is None else (*ENTERED_ONCE, *FACTS)

    @admin.display(description=_("progress"))
    def progress(self, enrollment: Enrollment) -> str:
        return progress_in_words(enrollment)

    @admin.display(description=_("make-up credits"))
    def owed(self, enrollment: Enrollment) -> str:
        return credits_in_words(enrollment)

    @display(
        description=_("status"),
        ordering="status",
        label={
            "requested": "warning",
            "confirmed": "success",
            "completed": "info",
            "declined": "danger",
        },
    )
    def state(self, enrollment: Enrollment) -> tuple[str, str]:
        return enrollment.status, enrollment.get_status_display()

    def save_model(self, request: HttpRequest, obj: Enrollment, form: Any, change: bool) -> None:
        if not change:
            self._enroll(obj, form.cleaned_data)
            return
        # Only what was typed: the status may have moved while this form was open.
        if form.changed_data:
            obj.save(update_fields=form.changed_data)
        self.run_pressed(request, obj)

    def _enroll(self, obj: Enrollment, answers: dict[str, Any]) -> None:
        try:
            made = enroll_by_office(
                **{name: answers[name] for name in (*ENTERED_ONCE, *KEPT)}, now=timezone.now()
            )
        except EnrollmentRefused as refused:
            raise Refused(why_refused(refused)) from refused
        obj.pk = made.pk
        obj.refresh_from_db()

    def get_actions_submit_line(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """The steps the state table allows from here."""
        status = Enrollment.objects.values_list("status", flat=True).filter(pk=object_id).first()
        allowed = ENROLLMENT_STEPS[status] if status else frozenset()
        names = [name for name, target in BUTTONS.items() if target in allowed]
        return self.only(names, super().get_actions_submit_line(request, object_id))

    @action(description=_("Confirm"), permissions=["change"])
    def confirm(self, request: HttpRequest, obj: Enrollment) -> None:
        self._move(obj, Enrollment.Status.CONFIRMED, by=request.user)

    @action(description=_("Decline"), permissions=["change"])
    def decline(self, request: HttpRequest, obj: Enrollment) -> None:
        self._move(obj, Enrollment.Status.DECLINED, by=request.user)

    @action(description=_("Complete"), permissions=["change"])
    def complete(self, request: HttpRequest, obj: Enrollment) -> None:
        self._move(obj, Enrollment.Status.COMPLETED, by=request.user)

    @action(description=_("Cancel enrollment"), permissions=["change"])
    def cancel(self, request: HttpRequest, obj: Enrollment) -> None:
        self._move(obj, Enrollment.Status.CANCELLED, by=request.user)

    def _move(self, enrollment: Enrollment, status: str, *, by: Any) -> None:
        try:
            move_enrollment(enrollment=enrollment, status=status, now=timezone.now(), by=by)
        except StepNotAllowed as refused:
            raise Refused(str(refused)) from refused

    def has_plan_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Named by its codename, unfold would look it up in the database at every system check."""
        return request.user.has_perm("enrollment.add_lesson")

    @action(description=_("Plan a lesson"), permissions=["change"], icon="event")
    def plan_lesson(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        enrollment: Enrollment | None = self.get_object(request, object_id)
        if enrollment is None:
            raise Http404
        page = reverse("admin:enrollment_lesson_add")
        return HttpResponseRedirect(f"{page}?enrollment={enrollment.pk}")

    @action(
        description=_("Plan a series"),
        url_path="plan-series",
        permissions=["change", "plan"],
        icon="event_repeat",
    )
    def plan_series(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return series_page(self, request, object_id)

    @admin.action(description=_("Confirm selected"), permissions=["change"])
    def confirm_selected(self, request: HttpRequest, queryset: QuerySet[Enrollment]) -> None:
        self._move_selected(request, queryset, Enrollment.Status.CONFIRMED)

    @admin.action(description=_("Decline selected"), permissions=["change"])
    def decline_selected(self, request: HttpRequest, queryset: QuerySet[Enrollment]) -> None:
        self._move_selected(request, queryset, Enrollment.Status.DECLINED)

    def _move_selected(
        self, request: HttpRequest, queryset: QuerySet[Enrollment], status: str
    ) -> None:
        moved, refused = 0, []
        # In order of the key: two people with overlapping selections cannot block each other.
        for enrollment in queryset.order_by("pk"):
            try:
                now, by = timezone.now(), cast(User, request.user)
                move_enrollment(enrollment=enrollment, status=status, now=now, by=by)
                moved += 1
            except StepNotAllowed as error:
                refused.append(f"{enrollment}: {error}")
        done = ngettext("%(count)d enrollment changed.", "%(count)d enrollments changed.", moved)
        self.message_user(request, done % {"count": moved}, messages.SUCCESS)
        for text in refused:
            self.message_user(request, text, messages.WARNING)
