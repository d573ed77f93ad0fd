"""Before something is saved or deleted that would leave planned lessons standing wrong, a page between
shows them, with a choice for each; what is then chosen happens together with the change, or nothing.

    class AvailabilityRuleAdmin(ImpactAdmin, ModelAdmin):
        def could_hit(self, rule):
            return Q(teacher=rule.teacher_id)

The change is made, looked at and taken back by the admin's own saving, so what the page says is what
will be. Everything that was typed is posted again with the choices.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from psycopg.errors import DeadlockDetected

from enrollment.admin.conflict_page import keep_history, why_refused
from enrollment.admin.impact_form import ImpactForm
from enrollment.admin.pressed import refusing
from enrollment.models import Lesson, User
from enrollment.operations import look_again
from enrollment.operations.impact import Impact, planned_ahead
from enrollment.operations.impact_settling import settle_hits
from enrollment.operations.lessons import PersonDeleted, lock_people, lock_user
from enrollment.operations.settling import CannotSettle, ChangedMeanwhile, ConflictEnded

STEP = "impact"
DECIDE, LATER, BACK = "decide", "later", "back"


class Asks(Exception):
    """Nothing was written: a person has to look first."""

    def __init__(self, form: ImpactForm, *, alert: str = "") -> None:
        super().__init__()
        self.form, self.alert = form, alert


class ImpactAdmin:
    """Before ModelAdmin among the bases."""

    def could_hit(self, obj: Any) -> Q:
        """Which planned lessons a change of this could hit at all."""
        raise NotImplementedError

    # -------------------------------------------------------------- the pages it stands in
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        page = super().changeform_view  # type: ignore[misc]
        return self._asking(request, lambda: page(request, *args, **kwargs))

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        page = super().delete_view  # type: ignore[misc]
        return self._asking(request, lambda: page(request, *args, **kwargs))

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """For “delete selected”."""
        page = super().changelist_view  # type: ignore[misc]
        return self._asking(request, lambda: page(request, *args, **kwargs))

    def _asking(self, request: HttpRequest, page: Callable[[], HttpResponse]) -> HttpResponse:
        if request.method != "POST":
            return page()
        try:
            try:
                return _in_one(request, page)
            except OperationalError as error:
                if not isinstance(error.__cause__, DeadlockDetected):
                    raise
            # The change itself takes locks, too, of an account or a course, after those of people.
            # Nothing was written, and whoever came the other way goes on: once more, behind them.
            return _in_one(request, page)
        except Asks as asks:
            return self._page_between(request, asks)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """On the way back the form shows what was typed, and saves nothing."""
        form = super().get_form(request, *args, **kwargs)  # type: ignore[misc]
        if request.POST.get(STEP) != BACK:
            return form
        return refusing(form, gettext("Nothing is saved yet. Here is what you typed."))

    # -------------------------------------------------------------- before and after
    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        obj = super().save_form(request, form, change)  # type: ignore[misc]
        known = type(obj)._default_manager.filter(pk=obj.pk).first() if change else None
        self._begin(request, [obj] if known is None else [known, obj])
        return obj

    def save_related(self, request: HttpRequest, *args: Any) -> None:
        super().save_related(request, *args)  # type: ignore[misc]
        self._weigh(request)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self._begin(request, [obj])
        super().delete_model(request, obj)  # type: ignore[misc]
        self._weigh(request)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        self._begin(request, queryset)
        super().delete_queryset(request, queryset)  # type: ignore[misc]
        self._weigh(request)

    def _begin(self, request: HttpRequest, objs: Iterable[Any]) -> None:
        could_hit = Q(pk__in=[])
        for obj in objs:
            could_hit |= self.could_hit(obj)
        now = timezone.now()
        lessons = planned_ahead(now=now).filter(could_hit).values_list("pk", flat=True)
        request.impact = Impact(lessons=set(lessons), now=now)  # type: ignore[attr-defined]

    def _weigh(self, request: HttpRequest) -> None:
        """:raises Asks:"""
        known: Impact = request.impact  # type: ignore[attr-defined]
        hits, step = known.hits(), request.POST.get(STEP)
        look_again.after_commit()
        if not hits:
            return
        if step == LATER:
            self._say_later(request, len(hits))
            return
        form = ImpactForm(request.POST if step == DECIDE else None, hits=hits, now=known.now)
        if step != DECIDE:
            raise Asks(form)
        if not _may_decide(request):
            raise PermissionDenied
        self._decide(request, form)

    def _decide(self, request: HttpRequest, form: ImpactForm) -> None:
        """:raises Asks: with the reason at its lesson."""
        if not form.is_valid():
            raise Asks(
                form, alert=gettext("Nothing is saved yet. Some lessons need another choice.")
            )
        reason = form.cleaned_data["reason"]
        try:
            settled = settle_hits(
                hits=form.hits,
                decisions=form.decisions(),
                reason=reason,
                by=cast(User, request.user),
                now=form.now,
            )
        except (CannotSettle, ChangedMeanwhile, PersonDeleted) as refused:
            raise Asks(form, alert=why_refused(refused)) from refused
        except ConflictEnded as refused:
            words = gettext(
                "Somebody has just decided about one of these lessons. Nothing is saved."
            )
            raise Asks(form, alert=words) from refused
        keep_history(cast(Any, self), request, settled.conflicts, settled.done, reason=reason)
        words = ngettext(
            "%(count)d lesson was moved, given to somebody else or cancelled.",
            "%(count)d lessons were moved, given to somebody else or cancelled.",
            len(settled.done),
        )
        if settled.done:
            messages.success(request, words % {"count": len(settled.done)})

    def _say_later(self, request: HttpRequest, count: int) -> None:
        words = ngettext(
            "%(count)d lesson stays as it is, and is to be found among the conflicts.",
            "%(count)d lessons stay as they are, and are to be found among the conflicts.",
            count,
        )
        messages.warning(request, words % {"count": count})

    def _page_between(self, request: HttpRequest, asks: Asks) -> HttpResponse:
        form, admin = asks.form, cast(Any, self)
        count = len(form.hits)
        title = ngettext(
            "This change hits %(count)d lesson", "This change hits %(count)d lessons", count
        )
        context = {
            **admin.admin_site.each_context(request),
            "opts": admin.opts,
            "title": title % {"count": count},
            "form": form,
            "alert": asks.alert,
            "may_see": request.user.has_perm("enrollment.view_lesson"),
            "may_decide": _may_decide(request),
            "posted": _posted(request),
            "is_form": "_selected_action" not in request.POST and "post" not in request.POST,
            "back": request.get_full_path(),
        }
        status = 422 if form.is_bound else 200
        return TemplateResponse(request, "admin/enrollment/impact.html", context, status=status)


def _in_one(request: HttpRequest, page: Callable[[], HttpResponse]) -> HttpResponse:
    with transaction.atomic():
        if request.POST.get(STEP) == DECIDE:
            _lock(request)
        return page()


def _may_decide(request: HttpRequest) -> bool:
    return request.user.has_perm("enrollment.change_lesson")


def _posted(request: HttpRequest) -> list[tuple[str, str]]:
    """What the page before was sent with, to be sent once more."""
    ours = ("csrfmiddlewaretoken", STEP)
    return [
        (name, value)
        for name, values in request.POST.lists()
        if name not in ours and not name.startswith(ImpactForm.BEGINS)
        for value in values
    ]


def _lock(request: HttpRequest) -> None:
    """Before the change takes its own: user, students, teachers.

    :raises PersonDeleted:
    """
    pks, teachers = ImpactForm.named(request.POST)
    lessons = Lesson.objects.filter(pk__in=pks).values_list("student_id", "teacher_id")
    lock_user(user=cast(User, request.user))
    lock_people(
        students={student for student, _teacher in lessons},
        teachers={teacher for _student, teacher in lessons} | teachers,
    )
