"""An incident's words to people: prepared, going and done; released, paused, stopped, written again."""

import re
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _

from rollback import affected, outbox, runner, sendings
from rollback.audit import ChangeRefused
from rollback.console import living, sending_words
from rollback.console.incident_steps import IncidentSteps
from rollback.console.letter_preview import in_a_frame
from rollback.console.sending_forms import ReleaseForm, StopForm, WriteForm
from rollback.domain.sendings import TO_PEOPLE
from rollback.models import Incident, Notification, Sending
from rollback.words import versions_now

WORDS = "admin/rollback/incident/words.html"
PER_PAGE = 50


class SendingSteps(IncidentSteps):
    def has_send_permission(self, request: HttpRequest, obj: Incident | None = None) -> bool:
        return request.user.has_perm("rollback.send")

    def may_see_people(self, request: HttpRequest) -> bool:
        return request.user.has_perm("rollback.view_affectedperson")

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path("<path:object_id>/words/", wrap(self.words), name="rollback_incident_words"),
            path("<path:object_id>/write/", wrap(self.write), name="rollback_incident_write"),
            path(
                "<path:object_id>/words/<int:sending>/<slug:step>/",
                wrap(self.sending),
                name="rollback_incident_sending",
            ),
        ]
        return [*own, *super().get_urls()]

    # ------------------------------------------------------------ what is seen

    def words(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What of the incident's page brings itself up to date."""
        incident = self.found(request, object_id)
        if request.htmx:  # type: ignore[attr-defined]
            return living.answer(request, self.words_of(request, incident))
        return HttpResponseRedirect(place(incident))

    def words_of(self, request: HttpRequest, incident: Incident) -> str:
        """Without a token in it: the same state is the same text."""
        found = sending_words.shown(incident)
        parts = {
            "incident": incident,
            "sendings": found,
            "said": sending_words.states_in_words(found),
            "may_send": self.has_send_permission(request),
            "may_see_people": self.may_see_people(request),
            "may_write": incident.latches.exists(),
            "is_live": True,
        }
        return render_to_string(WORDS, parts)

    def _of(self, incident: Incident, sending: int) -> Sending:
        """:raises Http404: also for one of another incident, or to the staff"""
        found = sendings.of(incident).select_related("incident").filter(pk=sending).first()
        if found is None:
            raise Http404
        return found

    # ------------------------------------------------------------ what is done

    def sending(
        self, request: HttpRequest, object_id: str, sending: int, step: str
    ) -> HttpResponse:
        incident = self.found(request, object_id)
        if step == "people":
            return self._people(request, incident, sending)
        if not self.has_send_permission(request, incident):
            raise PermissionDenied
        steps: dict[str, Callable[[HttpRequest, Sending], HttpResponse]] = {
            "release": self._release,
            "stop": self._stop,
            "pause": self._pause,
            "resume": self._resume,
            "drawn": self._drawn,
        }
        if step not in steps:
            raise Http404
        return steps[step](request, self._of(incident, sending))

    def _pause(self, request: HttpRequest, sending: Sending) -> HttpResponse:
        done = _("Paused. What was in a worker's hands at that moment has still gone out.")
        return self._at_once(request, sending, outbox.pause, done)

    def _resume(self, request: HttpRequest, sending: Sending) -> HttpResponse:
        return self._at_once(request, sending, outbox.resume, _("It goes on."))

    def _at_once(
        self, request: HttpRequest, sending: Sending, do: Callable[..., Sending], done: str
    ) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            do(sending=sending.pk, actor=runner.actor_of(request.user))
        except ChangeRefused as refused:
            self.message_user(request, str(refused), messages.ERROR)
        else:
            self.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(place(sending.incident))

    def _release(self, request: HttpRequest, sending: Sending) -> HttpResponse:
        held = sending.notifications.filter(state=Notification.State.HELD).count()
        versions = versions_now(sending.letter)
        form = ReleaseForm(_posted(request), held=held, versions=versions)
        words = _(
            "It goes out at once, to each of them in their language and on their clock. Until it has gone "
            "out it can be paused or stopped; what is sent is sent."
        )
        return self._ask_whether(
            request,
            sending,
            form=form,
            title=_("Release “%s”") % sending_words.title(sending.letter, sending.number),
            button_text=_("Release it"),
            consequence=words,
            do=lambda answers: outbox.release(
                sending=sending.pk,
                actor=runner.actor_of(request.user),
                people=answers["people"],
                versions=versions,
            ),
            done=_("Released: it is going out."),
            samples=[
                (sending_words.why_in_words(one), one)
                for one in sending_words.samples(
                    sending, versions=versions, sees_people=self.may_see_people(request)
                )
            ],
            drawn=step_of(sending, "drawn"),
            warnings=sending_words.warnings(sending),
        )

    def _drawn(self, request: HttpRequest, sending: Sending) -> HttpResponse:
        """A page of its own, in a frame: HTML that the school has written, and a person in it."""
        if not self.may_see_people(request):
            raise PermissionDenied
        asked = [request.GET.get(name, "") for name in ("row", "version")]
        if not all(re.fullmatch(r"[0-9]{1,9}", one) for one in asked):
            raise Http404
        html = sending_words.drawn(sending, row=int(asked[0]), version=int(asked[1]))
        if html is None:
            raise Http404
        return in_a_frame(html)

    def _stop(self, request: HttpRequest, sending: Sending) -> HttpResponse:
        return self._ask_whether(
            request,
            sending,
            form=StopForm(_posted(request)),
            title=_("Stop “%s”") % sending_words.title(sending.letter, sending.number),
            button_text=_("Stop it for good"),
            consequence=_(
                "Whoever has not got it does not get it any more, and it cannot be resumed."
            ),
            do=lambda answers: outbox.stop(sending=sending.pk, actor=runner.actor_of(request.user)),
            done=_("Stopped: nobody gets it any more."),
            danger=True,
        )

    def _ask_whether(
        self, request: HttpRequest, sending: Sending, *, form: forms.Form, **asked: Any
    ) -> HttpResponse:
        """A page that is older than what happened meanwhile says so instead of asking."""
        one = sending_words.shown_one(sending)
        step = "release" if isinstance(form, ReleaseForm) else "stop"
        words = _("This sending is “%(state)s”: that cannot be done now.")
        why_not = "" if step in one.may else words % {"state": one.state}
        if why_not and request.method == "POST":
            self.message_user(request, why_not, messages.ERROR)
            return HttpResponseRedirect(place(sending.incident))
        return self._ask(
            request,
            form=form,
            back=place(sending.incident),
            template="admin/rollback/incident/sending.html",
            one=one,
            why_not=why_not,
            **asked,
        )

    def _people(self, request: HttpRequest, incident: Incident, sending: int) -> HttpResponse:
        if not self.may_see_people(request):
            raise PermissionDenied
        found = self._of(incident, sending)
        page = Paginator(sending_words.people(found), PER_PAGE).get_page(request.GET.get("p"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": sending_words.title(found.letter, found.number),
            "incident": incident,
            "page": page,
            "rows": [sending_words.person(row) for row in page],
            "back": place(incident),
        }
        return TemplateResponse(request, "admin/rollback/incident/recipients.html", context)

    def write(self, request: HttpRequest, object_id: str) -> HttpResponse:
        incident = self.found(request, object_id)
        if not self.has_send_permission(request, incident):
            raise PermissionDenied
        last = sendings.of(incident).first()
        form = WriteForm(
            _posted(request),
            incident=incident,
            counts=affected.counts(incident),
            languages=sending_words.languages(incident),
            initial=_first(incident, last),
        )

        def do(answers: dict[str, Any]) -> str:
            made = sendings.write(
                incident=incident,
                letter=answers["letter"],
                actor=runner.actor_of(request.user),
                reasons=answers["reasons"],
                seen=answers["seen"],
                news=form.news,
                next_news_at=answers["next_news_at"],
            )
            return step_of(made, "release")

        return self._ask(
            request,
            form=form,
            title=_("Write to the people of incident %s") % incident,
            button_text=_("Prepare it"),
            consequence=_(
                "Nothing goes out yet: you see it as they will read it, and to how many, before you "
                "release it."
            ),
            do=do,
            done=_("It is prepared, and goes out when it is released."),
            back=place(incident),
            template="admin/rollback/incident/write.html",
            newest=last.pk if last else 0,
            is_frozen=affected.is_frozen(incident),
        )


def place(incident: Incident | None) -> str:
    """Where on the incident's page all this is."""
    assert incident is not None
    return reverse("admin:rollback_incident_change", args=[incident.pk]) + "#words"


def step_of(sending: Sending, step: str) -> str:
    return reverse("admin:rollback_incident_sending", args=[sending.incident_id, sending.pk, step])


def _first(incident: Incident, last: Sending | None) -> dict[str, Any]:
    """As the last time, or what is true now."""
    letter = TO_PEOPLE[0] if incident.is_open else TO_PEOPLE[-1]
    return {
        "letter": last.letter if last and incident.is_open else letter,
        "reasons": last.reasons if last else [],
        "seen": last.pk if last else 0,
    }


def _posted(request: HttpRequest) -> Any:
    """An empty form that was sent is a form that was sent."""
    return request.POST if request.method == "POST" else None
