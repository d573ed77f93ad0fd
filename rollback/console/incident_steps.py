"""What a person does about an incident: each a page that says what will happen, and one button."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from enrollment.admin.reading import ReadOnlyAdmin
from rollback import affected, incidents, runner, sendings
from rollback.console import processes, publishing, story
from rollback.console.forms import ResolveForm
from rollback.console.incident_forms import (
    AcknowledgeForm,
    DecideForm,
    NoteForm,
    OpenForm,
    ReviewForm,
    TakeAwayForm,
)
from rollback.models import FlagChange, Incident
from rollback.runner import ChangeRefused

ASK = "admin/rollback/change_flag.html"


@dataclass(frozen=True, kw_only=True)
class Button:
    words: str
    href: str
    is_first: bool = False


class IncidentSteps(ReadOnlyAdmin):
    """Read-only but for these: its facts are corrected nowhere."""

    actions_list = ("open_by_hand",)

    def has_open_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("rollback.add_incident")

    def may_work(self, request: HttpRequest) -> bool:
        return request.user.has_perm("rollback.change_incident")

    def may_take_away(self, request: HttpRequest) -> bool:
        return request.user.has_perm("rollback.change_flag")

    def get_urls(self) -> list[Any]:
        pages = {
            "acknowledge": self.acknowledge,
            "note": self.note,
            "decide": self.decide,
            "take-away": self.take_away,
            "resolve": self.resolve,
            "review": self.review,
            "publish": self.publish,
            "print": self.print_view,
            "export": self.export_view,
        }
        own = [
            path(
                f"<path:object_id>/{address}/",
                self.admin_site.admin_view(view),
                name=f"rollback_incident_{address.replace('-', '_')}",
            )
            for address, view in pages.items()
        ]
        return [*own, *super().get_urls()]

    def print_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        raise NotImplementedError

    def export_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        raise NotImplementedError

    def found(self, request: HttpRequest, object_id: str, *, to_work: bool = False) -> Incident:
        """:raises PermissionDenied: before it says whether there is one. :raises Http404:"""
        if not self.has_view_permission(request) or (to_work and not self.may_work(request)):
            raise PermissionDenied
        incident: Incident | None = self.get_object(request, object_id)
        if incident is None:
            raise Http404
        return incident

    def buttons(self, request: HttpRequest, incident: Incident) -> Iterator[Button]:
        """What can be done now, the next step first."""
        for number, (name, words) in enumerate(self._steps(request, incident)):
            yield Button(words=words, href=_page(name, incident), is_first=not number)
        yield Button(words=_("Print"), href=_page("print", incident))
        yield Button(words=_("Export as Markdown"), href=_page("export", incident))

    def _steps(self, request: HttpRequest, incident: Incident) -> Iterator[tuple[str, str]]:
        yield from self._work(request, incident)
        if publishing.may_publish(request):
            yield "publish", _("Tell the public")

    def _work(self, request: HttpRequest, incident: Incident) -> Iterator[tuple[str, str]]:
        if not self.may_work(request):
            return
        if not incident.is_open:
            yield "review", _("Review") if not incident.reviewed_at else _("Review again")
            yield "note", _("Add a note")
            return
        if incident.acknowledged_at is None:
            yield "acknowledge", _("Acknowledge")
        yield "decide", _("Decide")
        yield "note", _("Add a note")
        if self.may_take_away(request):
            yield "take_away", _("Take features away")
        if request.user.has_perm("rollback.view_phaserun"):
            yield "phases", _("Phases")
        yield "resolve", _("Resolve")

    @action(
        description=gettext_lazy("Open an incident"),
        url_path="open",
        permissions=["open"],
        icon="add_alert",
    )
    def open_by_hand(self, request: HttpRequest) -> HttpResponse:
        may = self.may_take_away(request)
        form = OpenForm(request.POST or None, may_take_away=may)

        def do(answers: dict[str, Any]) -> str:
            incident = self._open(request, answers)
            return _page("change", incident)

        return self._ask(
            request,
            form=form,
            title=_("Open an incident"),
            consequence=_(
                "It is in front of everybody in the office until somebody has resolved it. What "
                "happens from now on stands in its timeline."
            ),
            do=do,
            done=_("The incident is open."),
            back=reverse("admin:rollback_incident_changelist"),
        )

    def _open(self, request: HttpRequest, answers: dict[str, Any]) -> Incident:
        actor = runner.actor_of(request.user)
        facts = {"severity": answers["severity"], "kind": answers["kind"], "actor": actor}
        if answers.get("take_away"):
            done = runner.roll_back(
                flags=answers["flags"],
                incident=answers["title"],
                reason=answers["cause"],
                **facts,
            )
            self._tell_off(request, done.changes)
            return done.incident
        opened = incidents.open_case(
            title=answers["title"], flags=answers["flags"], cause=answers["cause"], **facts
        )
        if opened is None:  # only a trigger's second case is not opened
            raise ChangeRefused(_("It is open already."))
        return opened

    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        incident = self.found(request, object_id, to_work=True)
        return self._ask_about(
            request,
            incident,
            form=AcknowledgeForm(request.POST if request.method == "POST" else None),
            title=_("Acknowledge incident %s") % incident,
            button=_("Acknowledge"),
            consequence=_("It is yours: everybody sees that you are at it, and since when."),
            do=lambda answers: incidents.acknowledge(incident=incident.pk, actor=_actor(request)),
            done=_("The incident is yours."),
        )

    def note(self, request: HttpRequest, object_id: str) -> HttpResponse:
        incident = self.found(request, object_id, to_work=True)
        return self._ask_about(
            request,
            incident,
            form=NoteForm(request.POST or None),
            title=_("Add a note to incident %s") % incident,
            button=_("Add the note"),
            consequence=_("It is added to the timeline, with your name, and cannot be changed."),
            do=lambda answers: incidents.note(
                incident=incident.pk, actor=_actor(request), text=answers["text"]
            ),
            done=_("The note is in the timeline."),
        )

    def decide(self, request: HttpRequest, object_id: str) -> HttpResponse:
        incident = self.found(request, object_id, to_work=True)
        told = story.advice_for(incident)
        advice = told[0]
        form = DecideForm(request.POST or None, initial={"field": advice.key if advice else None})
        return self._ask_about(
            request,
            incident,
            form=form,
            title=_("Decide about incident %s") % incident,
            button=_("Decide"),
            consequence=_(
                "The decision is written down with your name and takes nothing away by itself. "
                "Tables are taken away by two people only."
            ),
            do=lambda answers: incidents.decide(
                incident=incident.pk,
                actor=_actor(request),
                field=answers["field"],
                reason=answers["reason"],
            ),
            done=_("The decision is in the timeline."),
            template="admin/rollback/incident/decide.html",
            matrix=story.matrix(),
            advice=advice,
            advice_words=told[1],
            chosen=form["field"].value(),
        )

    def take_away(self, request: HttpRequest, object_id: str) -> HttpResponse:
        incident = self.found(request, object_id, to_work=True)
        if not self.may_take_away(request):
            raise PermissionDenied

        def do(answers: dict[str, Any]) -> None:
            done = runner.take_away(
                incident=incident.pk,
                flags=answers["flags"],
                actor=_actor(request),
                reason=answers["reason"],
            )
            self._tell_off(request, done.changes)

        return self._ask_about(
            request,
            incident,
            form=TakeAwayForm(request.POST or None),
            title=_("Take features away for incident %s") % incident,
            button=_("Take them away"),
            consequence=_(
                "They go off for everybody, administrators included, and nobody can bring them back "
                "until the incident is resolved. Whoever is enrolling continues in the original "
                "form with everything saved."
            ),
            do=do,
            done=_("They are taken away, and stay so until the incident is resolved."),
            danger=True,
        )

    def resolve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        incident = self.found(request, object_id, to_work=True)

        def do(answers: dict[str, Any]) -> str | None:
            resolved = sendings.resolve(
                incident=incident.pk, actor=_actor(request), reason=answers["reason"]
            )
            affected.refresh(resolved)
            # Whoever has heard of it is to hear that it is over.
            was_said = publishing.may_publish(request) and incident.public_updates.exists()
            return _page("publish", incident) if was_said else None

        return self._ask_about(
            request,
            incident,
            form=ResolveForm(request.POST or None),
            title=_("Resolve incident %s") % incident,
            button=_("Resolve"),
            consequence=_(
                "Nothing comes back by itself: from then on each feature may be raised again, by a "
                "person and with a reason."
            ),
            do=do,
            done=_("The incident is resolved."),
        )

    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not publishing.may_publish(request):
            raise PermissionDenied
        incident = self.found(request, object_id)
        base = {**self.admin_site.each_context(request), "opts": self.opts}
        return publishing.page(request, incident, base=base)

    def review(self, request: HttpRequest, object_id: str) -> HttpResponse:
        incident = self.found(request, object_id, to_work=True)
        form = ReviewForm(
            request.POST or None,
            initial={"root_cause": incident.root_cause, "lessons": incident.lessons},
        )
        return self._ask_about(
            request,
            incident,
            form=form,
            title=_("Review incident %s") % incident,
            button=_("Save the review"),
            consequence=_(
                "All figures fill themselves; these are the words that only people can find. What "
                "was written before stays in the timeline; for more than three actions, review again."
            ),
            do=lambda answers: incidents.review(
                incident=incident.pk,
                actor=_actor(request),
                root_cause=answers["root_cause"],
                lessons=answers["lessons"],
                actions=list(form.actions()),
            ),
            done=_("The review is saved."),
        )

    def _ask_about(
        self, request: HttpRequest, incident: Incident, *, button: str, **asked: Any
    ) -> HttpResponse:
        return self._ask(
            request, back=_page("change", incident), button_text=button, incident=incident, **asked
        )

    def _ask(
        self,
        request: HttpRequest,
        *,
        form: forms.Form,
        title: str,
        do: Callable[[dict[str, Any]], Any],
        done: str,
        back: str,
        template: str = ASK,
        **more: Any,
    ) -> HttpResponse:
        """do: may return where to go on. What was typed stands there again when it is refused."""
        if request.method == "POST" and form.is_valid():
            try:
                leads_to = do(form.cleaned_data)
            except ChangeRefused as refused:
                form.add_error(None, str(refused))
            else:
                self.message_user(request, done, messages.SUCCESS)
                return HttpResponseRedirect(leads_to if isinstance(leads_to, str) else back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "form": form,
            "back": back,
            **more,
        }
        return TemplateResponse(request, template, context)

    def _tell_off(self, request: HttpRequest, changes: list[FlagChange]) -> None:
        processes.tell(request, changes)


def _actor(request: HttpRequest) -> runner.Actor:
    return runner.actor_of(request.user)


def _page(name: str, incident: Incident) -> str:
    if name == "phases":  # a page of its own, which takes the incident along
        return f"{reverse('admin:rollback_phaserun_now')}?incident={incident.pk}"
    return reverse(f"admin:rollback_incident_{name}", args=[incident.pk])
