"""The console: one page that says how the school is, what to do, and does it.

What is shown brings itself up to date (`room.js` asks again with the ETag of what it has); what is
typed stands outside of that.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import action

from rollback import exposure, incidents, runner
from rollback.console import (
    deciding,
    engine,
    living,
    measured,
    phase_words,
    processes,
    readings,
    saying,
    shown,
    waiting,
)
from rollback.console.forms import ReasonForm
from rollback.console.room_forms import PlanForm, TakeBackForm, the_word
from rollback.console.room_rights import May, without_what_is_others
from rollback.models import Incident, Latch, Plan
from rollback.runner import ChangeRefused

TOP, REST = "admin/rollback/room/state.html", "admin/rollback/room/rest.html"
WRONG_INPUT = 422


class RoomPage(ModelAdmin):
    """What `FlagAdmin` has besides its list: the console and what is done there."""

    # Before everything else in the admin's index, for who may change a flag.
    first_pages = (("room", gettext_lazy("Console")),)

    def has_raise_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rollback.raise_flag")

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path("room/start/", wrap(self.start_plan), name="rollback_flag_start_plan"),
            path("room/plan/<int:plan>/<slug:step>/", wrap(self.plan), name="rollback_flag_plan"),
            path(
                "room/incident/<int:incident>/acknowledge/",
                wrap(self.acknowledge),
                name="rollback_flag_acknowledge",
            ),
        ]
        return [*own, *super().get_urls()]

    # ------------------------------------------------------------ the page

    @action(
        description=gettext_lazy("Console"),
        url_path="room",
        permissions=["change"],
        icon="monitor_heart",
    )
    def room(self, request: HttpRequest) -> HttpResponse:
        if request.htmx:  # type: ignore[attr-defined]
            return living.answer(request, "".join(self._live(request)))
        form = TakeBackForm(_posted(request))
        if request.method == "POST" and form.is_valid() and self._take_back(request, form):
            return HttpResponseRedirect(reverse("admin:rollback_flag_room"))
        top, rest = self._live(request)
        page = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Console"),
            "form": form,
            "word": the_word(),
            "top": top,
            "rest": rest,
            "etag": living.etag_of(top + rest),
            "at": living.time_now(),
        }
        status = WRONG_INPUT if form.errors else 200
        return TemplateResponse(request, "admin/rollback/room.html", page, status=status)

    def _live(self, request: HttpRequest) -> tuple[str, str]:
        """All that changes by itself, above and below what is typed. Without a token in it: the same
        state is the same text.
        """
        may = May.of(request)
        parts = shown_parts(without_what_is_others(readings.read_all(), may), may=may)
        return render_to_string(TOP, parts), render_to_string(REST, parts)

    # ------------------------------------------------------------ what is done

    def _take_back(self, request: HttpRequest, form: TakeBackForm) -> bool:
        reason = form.cleaned_data["reason"]
        title = _("Everything taken back: %(reason)s") % {"reason": reason}
        try:
            done = runner.roll_back(
                incident=title[:200], actor=runner.actor_of(request.user), reason=reason
            )
        except ChangeRefused as refused:
            form.add_error(None, str(refused))
            return False
        words = _(
            "Everything is taken back. Incident %s is open; until it is resolved, nothing comes back."
        )
        messages.warning(request, words % done.incident.pk)
        processes.tell(request, done.changes)
        return True

    @method_decorator(require_POST)
    def acknowledge(self, request: HttpRequest, incident: int) -> HttpResponse:
        self._check(request)
        if not request.user.has_perm("rollback.change_incident"):
            raise PermissionDenied
        if not Incident.objects.filter(pk=incident).exists():
            raise Http404
        try:
            incidents.acknowledge(incident=incident, actor=runner.actor_of(request.user))
        except ChangeRefused as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, _("You are on incident %s.") % incident)
        return HttpResponseRedirect(reverse("admin:rollback_flag_room"))

    def plan(self, request: HttpRequest, plan: int, step: str) -> HttpResponse:
        """Pause, resume, abort or finish: what it means, a reason, one button."""
        self._check(request)
        words = plan_steps().get(step)
        row = Plan.objects.filter(pk=plan).first()
        if words is None or row is None:
            raise Http404
        if step in ("resume", "finish") and row.direction == Plan.Direction.UP:
            self._check_raise(request)
        title, consequence = words
        form = ReasonForm(_posted(request))
        is_ready = request.method == "POST" and form.is_valid()
        if is_ready and self._step(request, form, step=step, plan=plan):
            done = {"number": plan, "step": title}
            messages.success(request, _("Plan %(number)s: %(step)s done.") % done)
            return HttpResponseRedirect(reverse("admin:rollback_flag_room"))
        context = self._asking(
            request,
            form,
            title=f"{title}: {shown.plan_title(row)}",
            button_text=title,
            consequence=consequence,
            danger=step == "finish",
        )
        status = WRONG_INPUT if form.errors else 200
        return TemplateResponse(request, "admin/rollback/change_flag.html", context, status=status)

    def _step(self, request: HttpRequest, form: ReasonForm, *, step: str, plan: int) -> bool:
        from rollback import plans

        do: Mapping[str, Callable[..., Any]] = {
            "pause": plans.pause,
            "resume": plans.resume,
            "abort": plans.abort,
            "finish": plans.finish,
        }
        actor, reason = runner.actor_of(request.user), form.cleaned_data["reason"]
        try:
            do[step](plan=plan, actor=actor, reason=reason)
        except ChangeRefused as refused:
            form.add_error(None, str(refused))
            return False
        return True

    def start_plan(self, request: HttpRequest) -> HttpResponse:
        """Filled in, then looked at with whom each step concerns, then started."""
        self._check(request)
        may_raise = self.has_raise_permission(request)
        first = {
            name: request.GET.get(name) for name in ("direction", "steps") if name in request.GET
        }
        first.setdefault("direction", Plan.Direction.DOWN.value)
        first.setdefault("steps", "50, 25, 0" if first["direction"] == "down" else "5, 25, 50, 100")
        form = PlanForm(
            _posted(request),
            may_raise=may_raise,
            initial={**first, "flags": request.GET.getlist("flags")},
        )
        preview = None
        if request.method == "POST" and form.is_valid():
            preview = _preview(form)
            if "start" in request.POST and self._start(request, form):
                return HttpResponseRedirect(reverse("admin:rollback_flag_room"))
        context = self._asking(
            request,
            form,
            title=_("Start a plan"),
            button_text=_("Show whom it concerns"),
            consequence=" ".join(
                [
                    _("Each step is one change of the share; a person can stop it at any time."),
                    *_held(),
                ]
            ),
        )
        context |= {"held": _held(form.cleaned_data["flags"]) if preview else []}
        context |= {"preview": preview, "can_start": preview is not None and not form.errors}
        status = WRONG_INPUT if form.errors else 200
        return TemplateResponse(
            request, "admin/rollback/room/start_plan.html", context, status=status
        )

    def _start(self, request: HttpRequest, form: PlanForm) -> bool:
        from rollback import plans

        answers = form.cleaned_data
        try:
            plan = plans.start(
                direction=answers["direction"],
                mode=answers["mode"],
                flags=answers["flags"],
                steps=form.chosen_steps,
                incident=_incident_of(answers["flags"]),
                actor=runner.actor_of(request.user),
                reason=answers["reason"],
            )
        except (ChangeRefused, plans.PlanRuns) as refused:
            form.add_error(None, str(refused))
            return False
        messages.success(request, _("Plan %s has begun.") % plan.pk)
        return True

    # ------------------------------------------------------------ common

    def _check(self, request: HttpRequest) -> None:
        if not self.has_change_permission(request):
            raise PermissionDenied

    def _check_raise(self, request: HttpRequest) -> None:
        if not self.has_raise_permission(request):
            raise PermissionDenied

    def _asking(self, request: HttpRequest, form: Any, **words: Any) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "form": form,
            "back": reverse("admin:rollback_flag_room"),
            **words,
        }


def _posted(request: HttpRequest) -> Any:
    """An empty form that was sent is a form that was sent."""
    return request.POST if request.method == "POST" else None


def shown_parts(found: readings.Readings, *, may: May) -> dict[str, Any]:
    return {
        "headline": saying.headline(found),
        "unwatched": saying.unwatched(found),
        "oncall": found.oncall or (),
        "is_well": saying.is_well(found),
        "unread": [str(readings.NAMES[name]) for name in found.unread],
        "is_watched": measured.is_watched(found),
        "letters": waiting.letters(found),
        "action": saying.next_action(found, may=may),
        "incidents": shown.incidents(found),
        "matrix": deciding.matrix(found) if may.see_incidents else None,
        "public_words": shown.public_words(found, may_publish=may.publish)
        if may.see_incidents
        else [],
        "features": shown.features(found),
        "measures": measured.measures(found),
        "plans": shown.plans(found),
        "phase": phase_words.in_the_room(found),
        "timeline": shown.timeline(found, with_changes=may.see_changes),
        "may": may,
        "may_raise": may.give,
        **processes.context_of(found.processes),
    }


def plan_steps() -> dict[str, tuple[str, str]]:
    """By its name in the address: the button, and what it does."""
    return {
        "pause": (_("Pause"), _("The share stays as it is until somebody lets the plan go on.")),
        "resume": (_("Resume"), _("The next step is done when its time has come.")),
        "abort": (_("Abort"), _("The plan ends here; the share stays as it is.")),
        "finish": (_("Finish at once"), _("The plan's last share is set now, for everybody.")),
    }


def _preview(form: PlanForm) -> list[dict[str, str]]:
    now, flags = timezone.now(), form.cleaned_data["flags"]
    is_up = form.cleaned_data["direction"] == Plan.Direction.UP
    return [
        {
            "share": shown.share(share),
            "concerns": engine.blast_words(flags=flags, percent=share, now=now, up=is_up),
        }
        for share in form.cleaned_data["steps"]
    ]


def _incident_of(flags: list[str]) -> Incident | None:
    """The oldest open one that holds all of them: a plan's incident latches whatever the plan takes."""
    found = Incident.objects.filter(resolved_at=None)
    for flag in flags:
        found = found.filter(pk__in=Latch.objects.filter(flag_name=flag).values("incident"))
    return found.order_by("pk").first() if flags else None


def _held(flags: list[str] | None = None) -> list[str]:
    """In words, which of them (None: of all) an incident holds, and what that means for a plan."""
    held = incidents.latches()
    words = _("%(feature)s is held by incident %(number)s and stays off until that is resolved.")
    said = [
        words % {"feature": exposure.title(flag), "number": held[flag].pk}
        for flag in sorted(held)
        if flags is None or flag in flags
    ]
    if said and flags and _incident_of(flags) is None:
        said.append(_("The plan belongs to no incident, for none holds all of these features."))
    return said
