"""A series of lessons for one enrollment: every week is shown first, and planned as it was chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from enrollment.admin.fields import ClockField, DayField
from enrollment.admin.words import day_and_time, name_clash, no_such_time, somebody_gone
from enrollment.domain.states import LIVE_ENROLLMENT
from enrollment.domain.weeks import FIRST_DAY, every
from enrollment.models import Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.lessons import PersonDeleted, SlotTaken
from enrollment.operations.office import EnrollmentNotLive
from enrollment.operations.series import plan_series
from enrollment.queries.people import teachers_here
from enrollment.queries.series import Week, look_ahead

SKIP = "skip"


class SeriesForm(forms.Form):
    teacher = forms.ModelChoiceField(
        label=gettext_lazy("Teacher"),
        queryset=teachers_here(),
        widget=UnfoldAdminSelectWidget,
        empty_label=gettext_lazy("Choose a teacher"),
    )
    first_on = DayField(label=gettext_lazy("First day"))
    at = ClockField(label=gettext_lazy("Time on the teacher's clock"), help_text="")
    every = forms.IntegerField(
        label=gettext_lazy("Weeks from one to the next"),
        initial=1,
        min_value=1,
        max_value=8,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    count = forms.IntegerField(
        label=gettext_lazy("Number of lessons"),
        initial=10,
        min_value=1,
        max_value=52,
        widget=UnfoldAdminIntegerFieldWidget,
    )


@dataclass(frozen=True, kw_only=True)
class Option:
    """starts_at: None skips the week."""

    value: str
    words: str
    chosen: bool
    starts_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One week of the preview. why: what is in the way, or worth knowing. error: what is missing."""

    name: str
    week: Week
    why: str
    options: Sequence[Option]
    error: str = ""

    @property
    def starts_at(self) -> datetime | None:
        return next((option.starts_at for option in self.options if option.chosen), None)


def series_page(admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    enrollment: Enrollment | None = admin.get_object(request, object_id)
    if enrollment is None:
        raise Http404
    form = SeriesForm(
        request.GET if "first_on" in request.GET else None,
        initial={"teacher": enrollment.teacher_id},
    )
    page = Page(admin, request, enrollment, form)
    if request.method == "POST" and page.can_plan:
        return page.plan()
    return page.show()


class Page:
    """The question stands in the address, the choices in what is posted."""

    def __init__(
        self, admin: ModelAdmin, request: HttpRequest, enrollment: Enrollment, form: SeriesForm
    ) -> None:
        self.admin, self.request, self.enrollment, self.form = admin, request, enrollment, form
        self.is_live = enrollment.status in LIVE_ENROLLMENT
        self.can_plan = self.is_live and form.is_valid()
        self.now = timezone.now()

    @property
    def teacher(self) -> Teacher:
        teacher: Teacher = self.form.cleaned_data["teacher"]
        return teacher

    def plan(self) -> HttpResponse:
        """All that was chosen, or nothing and the preview once more."""
        rows = self._rows()
        if any(row.error for row in rows):
            return self._already_there() or self.show(rows, _("Some weeks need another choice."))
        starts = [row.starts_at for row in rows if row.starts_at]
        if not starts:
            return self.show(rows, _("Every week is skipped, so there is nothing to plan."))
        try:
            made = plan_series(
                enrollment=self.enrollment,
                teacher=self.teacher,
                starts=starts,
                now=self.now,
                by=cast(User, self.request.user),
            )
        except SlotTaken:
            return self._already_there() or self.show(self._rows(), _too_late())
        except PersonDeleted:
            return self.show(rows, somebody_gone())
        except EnrollmentNotLive:
            self.is_live = False
            return self.show()
        return self._done(made)

    def show(self, rows: Sequence[Row] | None = None, alert: str = "") -> HttpResponse:
        if rows is None and self.can_plan:
            rows = self._rows()
        context = {
            **self.admin.admin_site.each_context(self.request),
            "opts": self.admin.opts,
            "title": _("Plan a series"),
            "enrollment": self.enrollment,
            "is_live": self.is_live,
            "form": self.form,
            "rows": rows,
            "free": sum(row.week.is_free for row in rows or ()),
            "alert": alert,
            "back": self._back(),
        }
        return TemplateResponse(self.request, "admin/enrollment/enrollment/series.html", context)

    def _rows(self) -> list[Row]:
        answers = self.form.cleaned_data
        weeks = look_ahead(
            enrollment=self.enrollment,
            teacher=self.teacher,
            days=every(answers["first_on"], weeks=answers["every"], count=answers["count"]),
            at=answers["at"],
            now=self.now,
        )
        posted = self.request.POST if self.request.method == "POST" else None
        return [
            row_of(
                week,
                name=f"week-{number}",
                teacher=self.teacher,
                student=self.enrollment.student,
                posted=posted,
            )
            for number, week in enumerate(weeks, start=1)
        ]

    def _already_there(self) -> HttpResponse | None:
        """The button was pressed twice: what was asked for is all there, and that is no failure."""
        posted = [value for name, value in self.request.POST.items() if name.startswith("week-")]
        starts = {moment for value in posted if (moment := _moment_or_none(str(value)))}
        planned = Lesson.objects.filter(
            enrollment=self.enrollment,
            teacher=self.teacher,
            status=Lesson.Status.PLANNED,
            period__startswith__in=starts,
        ).count()
        if not starts or planned < len(starts):
            return None
        words = _("These lessons are planned already. The second time nothing was planned.")
        self.admin.message_user(self.request, words, messages.INFO)
        return HttpResponseRedirect(self._back())

    def _done(self, made: Sequence[Lesson]) -> HttpResponse:
        words = ngettext("%(count)d lesson planned.", "%(count)d lessons planned.", len(made))
        done = words % {"count": len(made)}
        lessons = Lesson.objects.select_related("course").filter(pk__in=[one.pk for one in made])
        actor = int(self.request.user.pk or 0)
        LogEntry.objects.log_actions(actor, lessons, ADDITION, _("In a series."))
        self.admin.log_change(self.request, self.enrollment, done)
        self.admin.message_user(self.request, done, messages.SUCCESS)
        return HttpResponseRedirect(self._back())

    def _back(self) -> str:
        return reverse("admin:enrollment_enrollment_change", args=[self.enrollment.pk])


def row_of(
    week: Week, *, name: str, teacher: Teacher, student: Student, posted: Mapping[str, str] | None
) -> Row:
    """A free week is planned unless somebody skips it; of any other somebody chooses."""
    planned = {value_of(week.starts_at): week.starts_at} if week.is_free and week.starts_at else {}
    instead = {value_of(start): start for start in week.nearby}
    asked = next(iter(planned), "") if posted is None else posted.get(name, "")
    # Who has chosen another time keeps it, also when the planned one has become free meanwhile.
    values = planned if planned and asked not in instead else planned | instead
    options = [
        Option(
            value=value,
            words=words_for(start, week, teacher=teacher, student=student),
            chosen=value == asked,
            starts_at=start,
        )
        for value, start in values.items()
    ]
    options.append(Option(value=SKIP, words=_("Skip this week"), chosen=asked == SKIP))
    missing = posted is not None and asked not in {*values, SKIP}
    return Row(
        name=name,
        week=week,
        why=why(week, teacher),
        options=options,
        error=what_is_missing(asked, teacher.zone) if missing else "",
    )


def why(week: Week, teacher: Teacher) -> str:
    if week.no_such_time:
        return no_such_time(week.no_such_time, teacher)
    if week.clash and week.starts_at and week.ends_at:
        return name_clash(week.clash, teacher, (week.starts_at, week.ends_at))
    return _("This hour comes twice that night; the first is meant.") if week.twice else ""


def what_is_missing(asked: str, zone: str) -> str:
    moment = _moment_or_none(asked)
    if moment is None:
        return _("Choose a time, or skip this week.")
    taken = _("%(time)s has just been taken. Choose another time, or skip this week.")
    return taken % {"time": day_and_time(moment, zone)}


def words_for(start: datetime, week: Week, *, teacher: Teacher, student: Student) -> str:
    """The time alone on the week's own day, which stands above it."""
    mine, theirs = (timezone.localtime(start, ZoneInfo(who.zone)) for who in (teacher, student))
    another_day = pgettext("date format", "D j F, H:i")
    words = date_format(mine, "H:i" if mine.date() == week.on else another_day)
    if mine.utcoffset() == theirs.utcoffset():
        return words
    both = _("%(time)s (for the student %(theirs)s)")
    return both % {"time": words, "theirs": f"{theirs:%H:%M}"}


def value_of(start: datetime) -> str:
    return start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment_or_none(value: str) -> datetime | None:
    """None for what no page of ours has offered: nonsense, no zone, the ends of all calendars."""
    try:
        moment = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if FIRST_DAY <= moment.date() < date.max - timedelta(days=1) else None


def _too_late() -> str:
    return _(
        "Somebody was faster just now, so nothing was planned. Please look at the weeks again."
    )
