"""The phases in the admin: which holds, what to do, and the way down or back with its proof.

A request asks, approves and cancels; it is the runner (`manage.py rollback run`) that carries out.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display

from enrollment.admin.reading import ReadOnlyAdmin
from rollback import phases, processes, runner
from rollback.console import living, phase_advice, phase_shown, phase_words, readings
from rollback.console.forms import ReasonForm
from rollback.console.phase_advice import Who
from rollback.console.phase_forms import ApproveForm, PhaseForm
from rollback.console.room_rights import May, without_what_is_others
from rollback.models import Incident, PhaseRun
from rollback.runner import ChangeRefused

LIVE = "admin/rollback/phases/live.html"
ASK = "admin/rollback/phases/ask.html"
WRONG_INPUT = 422


class PhasesPage(ReadOnlyAdmin):
    """What `PhaseRunAdmin` has besides its list: the page of the phases, and what is done there."""

    pages = (("now", gettext_lazy("Phases")),)
    actions_list = ("now",)

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path("<int:run>/approve/", wrap(self.approve), name="rollback_phaserun_approve"),
            path("<int:run>/cancel/", wrap(self.cancel), name="rollback_phaserun_cancel"),
            path("<int:run>/retry/", wrap(self.retry), name="rollback_phaserun_retry"),
        ]
        return [*own, *super().get_urls()]

    # ------------------------------------------------------------ the page

    @action(
        description=gettext_lazy("Phases"),
        url_path="now",
        permissions=["view"],
        icon="stairs",
    )
    def now(self, request: HttpRequest) -> HttpResponse:
        if request.htmx:  # type: ignore[attr-defined]
            return living.answer(request, self._live(request))
        may_ask = request.user.has_perm("rollback.change_flag")
        if request.method == "POST" and not may_ask:
            raise PermissionDenied
        form = self._form(request)
        preview = None
        if request.method == "POST" and form.is_valid():
            preview = _preview(form.cleaned_data["target"])
            if "ask" in request.POST and self._ask_for(request, form):
                return HttpResponseRedirect(reverse(phase_words.NAME))
        live = self._live(request)
        page = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Phases"),
            "form": form if may_ask else None,
            "preview": preview,
            "can_ask": preview is not None and not form.errors,
            "is_open": request.method == "POST" or "target" in request.GET,
            "phases": (3, 2, 1),
            "live": live,
            "etag": living.etag_of(live),
            "at": living.time_now(),
            "back": reverse("admin:rollback_flag_room") if may_ask else "",
        }
        status = WRONG_INPUT if form.errors else 200
        return TemplateResponse(request, "admin/rollback/phases/page.html", page, status=status)

    def _form(self, request: HttpRequest) -> PhaseForm:
        first = {name: request.GET.get(name) for name in ("target", "incident")}
        sees = request.user.has_perm("rollback.view_incident")
        open_ones = list(Incident.objects.filter(resolved_at=None).order_by("pk")) if sees else []
        return PhaseForm(
            request.POST if request.method == "POST" else None,
            may_bring_back=request.user.has_perm("rollback.raise_flag"),
            incidents=open_ones,
            initial={name: value for name, value in first.items() if value is not None},
        )

    def _live(self, request: HttpRequest) -> str:
        """All that changes by itself. Without a token in it: the same state is the same text."""
        found = without_what_is_others(readings.read_all(), May.of(request))
        who, lives = who_of(request), _runner_lives()
        run = found.phases.newest if found.phases else None
        seen = (run and run.pk, run and run.status, phase_words.holds(found))
        # While a run is under way, what is not as it should be is what it is changing.
        diagnosis = None if phase_words.live(found) else phase_shown.kept_diagnosis(seen=seen)
        step = phase_advice.next_step(found, who=who, runner=lives, diagnosis=diagnosis)
        target = step.get("target")
        return render_to_string(
            LIVE,
            {
                "sentence": phase_words.sentence(found),
                "is_well": phase_words.holds(found) is phase_words.Holds.ON,
                "unread": [str(readings.NAMES[name]) for name in found.unread],
                "action": step,
                "no_runner": phase_advice.no_runner() if lives is False else "",
                "before": None if target is None else _before(run, target, seen),
                "before_target": target,
                "run": run and phase_shown.run(run),
                "why_not": who.why_not_approve(run)
                if run is not None and phase_advice.waits_for_approval(run)
                else "",
                "can_approve": run is not None and phase_advice.waits_for_approval(run),
                "can_retry": run is not None and _may_retry(who, run),
                "may_ask": who.ask,
                "may_see_incidents": request.user.has_perm("rollback.view_incident"),
            },
        )

    def _ask_for(self, request: HttpRequest, form: PhaseForm) -> bool:
        answers = form.cleaned_data
        incident = Incident.objects.filter(pk=answers["incident"]).first()
        try:
            run = phases.ask(
                target=answers["target"],
                mode=answers["mode"],
                actor=runner.actor_of(request.user),
                reason=answers["reason"],
                incident=incident,
                whole=form.is_whole,
                accept_changes=answers["accept_changes"],
            )
        except ChangeRefused as refused:
            form.add_error(None, str(refused))
            return False
        if run.status == PhaseRun.Status.ASKED:
            words = _("It is asked for, and waits for a second person.")
            messages.warning(request, words + " " + phase_advice.who_may(run))
        else:
            messages.success(request, _("It is asked for; the runner takes it up at once."))
        if _runner_lives() is False:
            messages.error(request, phase_advice.no_runner())
        return True

    # ------------------------------------------------------------ approve and cancel

    def approve(self, request: HttpRequest, run: int) -> HttpResponse:
        """Whoever may see the run sees here why they cannot; by somebody else than who asked."""
        row = self._run(request, run)
        why_not = who_of(request).why_not_approve(row)
        form = ApproveForm(request.POST if request.method == "POST" else None)
        if request.method == "POST":
            if why_not and not request.user.has_perm(phase_advice.APPROVE):
                raise PermissionDenied
            if why_not:
                messages.error(request, why_not)
                return HttpResponseRedirect(reverse(phase_words.NAME))
            if form.is_valid() and self._approve(request, row, form):
                return HttpResponseRedirect(reverse(phase_words.NAME))
        return self._asking(
            request,
            row,
            form=None if why_not else form,
            why_not=why_not,
            title=_("Approve: %(what)s") % {"what": phase_words.target_words(row.target)},
            button_text=_("Approve"),
            consequence=_(
                "From then on the runner moves the tables into the archive: all of them in one "
                "transaction, others wait two seconds at a time at most, and every row stays as it is."
            ),
            before=phase_shown.before(
                row.target, phase_shown.read_before(row.target) or row.before
            ),
            danger=True,
        )

    def _approve(self, request: HttpRequest, row: PhaseRun, form: ApproveForm) -> bool:
        try:
            phases.approve(run=row, approver=runner.actor_of(request.user))
        except ChangeRefused as refused:
            form.add_error(None, str(refused))
            return False
        messages.success(request, _("Approved. The runner takes it up at once."))
        return True

    def cancel(self, request: HttpRequest, run: int) -> HttpResponse:
        row = self._run(request, run)
        if not request.user.has_perm("rollback.change_flag"):
            raise PermissionDenied
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid() and self._cancel(request, row, form):
            return HttpResponseRedirect(reverse(phase_words.NAME))
        return self._asking(
            request,
            row,
            form=form,
            title=_("Cancel: %(what)s") % {"what": phase_words.target_words(row.target)},
            button_text=_("Cancel the run"),
            consequence=_(
                "The steps that are done stay done: what is off stays off. Nothing further is taken away."
            ),
        )

    def _cancel(self, request: HttpRequest, row: PhaseRun, form: ReasonForm) -> bool:
        actor, reason = runner.actor_of(request.user), form.cleaned_data["reason"]
        try:
            phases.cancel(run=row, actor=actor, reason=reason)
        except ChangeRefused as refused:
            form.add_error(None, str(refused))
            return False
        messages.success(request, _("The run is cancelled."))
        return True

    def retry(self, request: HttpRequest, run: int) -> HttpResponse:
        """The step that failed, once more; what was done before stays done."""
        row = self._run(request, run)
        if not _may_retry(who_of(request), row):
            raise PermissionDenied
        form = forms.Form(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                phases.reopen(run=row, actor=runner.actor_of(request.user))
            except ChangeRefused as refused:
                form.add_error(None, str(refused))
            else:
                return HttpResponseRedirect(reverse(phase_words.NAME))
        return self._asking(
            request,
            row,
            form=form,
            title=_("Try again: %(what)s") % {"what": phase_words.target_words(row.target)},
            button_text=_("Try again"),
            consequence=_("The step that failed is tried again; what was done before stays done."),
        )

    def _run(self, request: HttpRequest, run: int) -> PhaseRun:
        """:raises PermissionDenied: before it says whether there is one. :raises Http404:"""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = PhaseRun.objects.select_related("incident", "operator").filter(pk=run).first()
        if row is None:
            raise Http404
        return row

    def _asking(
        self, request: HttpRequest, row: PhaseRun, *, form: Any, **words: Any
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "run": phase_shown.run(row),
            "form": form,
            "back": reverse(phase_words.NAME),
            **words,
        }
        status = WRONG_INPUT if form is not None and form.errors else 200
        return TemplateResponse(request, ASK, context, status=status)


@admin.register(PhaseRun)
class PhaseRunAdmin(PhasesPage):
    list_display = (
        "asked_at",
        "what",
        "state",
        "operator_name",
        "approver_name",
        "incident",
        "reason",
    )
    list_display_links = ("asked_at", "what")
    list_filter = ("status", "target")
    list_select_related = ("incident",)
    search_fields = ("reason", "operator_name", "approver_name")

    class Media:
        css = {"all": ("rollback/phases.css",)}

    fields = (
        "what", "in_words", "mode", "reason", "incident", "operator_name", "asked_at", "approver_name",
        "approved_at", "started_at", "finished_at", "why", "known_before", "steps", "proved",
    )  # fmt: skip

    @admin.display(description=gettext_lazy("what"), ordering="target")
    def what(self, run: PhaseRun) -> str:
        return phase_words.target_words(run.target)

    @display(
        description=gettext_lazy("state"),
        ordering="status",
        label={
            "asked": "warning",
            "ready": "info",
            "running": "info",
            "done": "success",
            "failed": "danger",
            "cancelled": "default",
        },
    )
    def state(self, run: PhaseRun) -> tuple[str, str]:
        return run.status, self.in_words(run)

    @admin.display(description=gettext_lazy("state"))
    def in_words(self, run: PhaseRun) -> str:
        return str(run.get_status_display())

    @admin.display(description=gettext_lazy("error"))
    def why(self, run: PhaseRun) -> str:
        return run.error or "–"

    @admin.display(description=gettext_lazy("known before"))
    def known_before(self, run: PhaseRun) -> str:
        if not run.before:
            return "–"
        context = {"before": phase_shown.before(run.target, run.before)}
        return render_to_string("admin/rollback/phases/before.html", context)

    @admin.display(description=gettext_lazy("steps"))
    def steps(self, run: PhaseRun) -> str:
        return render_to_string("admin/rollback/phases/steps.html", {"run": phase_shown.run(run)})

    @admin.display(description=gettext_lazy("proof"))
    def proved(self, run: PhaseRun) -> str:
        proof = phase_shown.proof(run.proof)
        return (
            render_to_string("admin/rollback/phases/proof.html", {"proof": proof}) if proof else "–"
        )


def who_of(request: HttpRequest) -> Who:
    user: Any = request.user
    return Who(
        user=user,
        ask=user.has_perm("rollback.change_flag"),
        bring_back=user.has_perm("rollback.raise_flag"),
    )


def _may_retry(who: Who, run: PhaseRun) -> bool:
    may = who.bring_back if run.target == PhaseRun.Target.BACK else who.ask
    return may and run.status == PhaseRun.Status.FAILED


def _before(run: PhaseRun | None, target: int, seen: phase_shown.Seen) -> dict[str, Any] | None:
    """What was known when it was asked for, once it is under way; until then what is so now."""
    if run is not None and run.status == PhaseRun.Status.RUNNING:
        return phase_shown.before(run.target, run.before)
    return phase_shown.kept_before(target, seen=seen)


def _preview(target: int) -> dict[str, Any] | None:
    found = phase_shown.read_before(target)
    return (
        {"title": "", "lines": [_("What it means cannot be read now.")]}
        if found is None
        else (phase_shown.before(target, found))
    )


def _runner_lives() -> bool | None:
    try:
        return processes.runner_lives()
    except Error:
        return None
