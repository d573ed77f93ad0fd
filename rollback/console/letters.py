"""The letters in the admin: what the school writes in which language, and who has changed it when."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from rollback import words
from rollback.audit import actor_of
from rollback.console import letter_rows
from rollback.console.letter_forms import LetterForm
from rollback.console.letter_preview import PAGES, LetterPreview
from rollback.domain.letters import LETTERS, Audience, Letter
from rollback.models import MessageTemplate

AUDIENCES = {
    Audience.PEOPLE: gettext_lazy("To students and teachers"),
    Audience.STAFF: gettext_lazy("To the management and to whoever is on call"),
    Audience.PUBLIC: gettext_lazy("To the public: status page and banner"),
}


@admin.register(MessageTemplate)
class LetterAdmin(LetterPreview):
    """Nothing is added by itself, nothing deleted: a letter has versions, and each stays."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.changelist_view), name="rollback_messagetemplate_changelist"),
            path(
                "<slug:letter>/<slug:language>/",
                wrap(self.letter_view),
                name="rollback_messagetemplate_letter",
            ),
            path(
                "<slug:letter>/<slug:language>/preview/",
                wrap(self.preview_view),
                name="rollback_messagetemplate_preview",
            ),
        ]

    # ------------------------------------------------------------ the list

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._check_may_look(request)
        newest = {
            (one.key, one.language): one
            for one in MessageTemplate.objects.order_by("key", "language", "-version").distinct(
                "key", "language"
            )
        }
        groups = [
            (
                title,
                [
                    letter_rows.row(letter, newest)
                    for letter in LETTERS
                    if letter.audience == audience
                ],
            )
            for audience, title in AUDIENCES.items()
        ]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Letters"),
            "groups": groups,
            "languages": [_(name) for _code, name in settings.LANGUAGES],
        }
        return TemplateResponse(request, f"{PAGES}/list.html", context)

    # ------------------------------------------------------------ one letter in one language

    def letter_view(self, request: HttpRequest, letter: str, language: str) -> HttpResponse:
        return self._letter_view(request, self._found(request, letter, language), language)

    def _letter_view(self, request: HttpRequest, letter: Letter, language: str) -> HttpResponse:
        if request.method != "POST":
            return self._page(request, letter, language, self._form(request, letter, language))
        if not self.has_change_permission(request):
            raise PermissionDenied
        form = self._form(request, letter, language)
        if not form.is_valid():
            return self._page(request, letter, language, form, status=422)
        try:
            return self._done(request, letter, language, form)
        except words.WordsRefused as refused:
            if "_again" in request.POST:
                return self._not_done(request, str(refused))
            _take_errors(form, refused)
            return self._page(request, letter, language, form, status=422)
        except words.ChangedMeanwhile as changed:
            newest = changed.newest
            if "_again" in request.POST or "_house" in request.POST:
                said = _("Nothing was done: version %s was saved meanwhile. Look at it first.")
                return self._not_done(request, said % newest.version)
            return self._page(request, letter, language, form, meanwhile=newest, status=409)

    def _done(
        self, request: HttpRequest, letter: Letter, language: str, form: LetterForm
    ) -> HttpResponse:
        """:raises WordsRefused: :raises ChangedMeanwhile:"""
        if "_test" in request.POST:
            self._send_test(request, letter, language, form)
            return self._page(request, letter, language, form)
        whose: dict[str, Any] = {
            "key": letter.key,
            "language": language,
            "seen": form.cleaned_data["seen"],
            "actor": actor_of(request.user),
        }
        if "_house" in request.POST:
            saved = words.back_to_the_houses(**whose)
        elif "_again" in request.POST:
            saved = words.use_again(version=_number(request.POST["_again"]), **whose)
        else:
            saved = words.save(**form.words, **whose)
        if saved is None:
            self.message_user(request, _("Nothing to change: it was so already."), messages.INFO)
        else:
            said = _("Saved as version %s. Letters that go out from now on have these words.")
            self.message_user(request, said % saved.version, messages.SUCCESS)
        return HttpResponseRedirect(request.path)

    def _not_done(self, request: HttpRequest, said: str) -> HttpResponse:
        self.message_user(request, said, messages.ERROR)
        return HttpResponseRedirect(request.path)

    def _page(
        self,
        request: HttpRequest,
        letter: Letter,
        language: str,
        form: LetterForm,
        meanwhile: MessageTemplate | None = None,
        status: int = 200,
    ) -> HttpResponse:
        if meanwhile is not None:  # who saves once more has read what is shown beside it now
            form.data = {**dict(form.data.items()), "seen": str(meanwhile.version)}
        known = words.versions(letter.key, language)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("%(letter)s, %(language)s")
            % {"letter": _(letter.title), "language": letter_rows.named(language)},
            "about": _(letter.about),
            "letter": letter,
            "form": form,
            "meanwhile": meanwhile,
            "versions": known,
            "is_houses": not known or known[0].is_the_houses,
            "is_broken": bool(known) and not letter_rows.holds_still(known[0]),
            "seen": known[0].version if known else 0,
            "variables": list(letter_rows.variables(letter, language)),
            "others": list(letter_rows.other_languages(letter, language)),
            "may_change": self.has_change_permission(request),
            "is_mail": letter.audience != Audience.PUBLIC,
            "email": getattr(request.user, "email", ""),
            "preview": reverse(
                "admin:rollback_messagetemplate_preview", args=[letter.key, language]
            ),
            "back": reverse("admin:rollback_messagetemplate_changelist"),
        }
        return TemplateResponse(request, f"{PAGES}/edit.html", context, status=status)


def _take_errors(form: LetterForm, refused: words.WordsRefused) -> None:
    for name, sentences in refused.errors.items():
        for sentence in sentences:
            form.add_error(name if name in form.fields else None, sentence)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1
