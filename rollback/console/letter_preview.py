"""A letter tried before it is saved: drawn in a frame, or sent to whoever tries it."""

import re
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.mail import EmailMultiAlternatives
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from rollback import words
from rollback.console.letter_forms import TEXT, LetterForm
from rollback.console.letter_values import Filling, filling
from rollback.domain.letters import BY_KEY, Audience, Letter

PAGES = "admin/rollback/letters"
# The mail is drawn in a frame, with its own styles, and can do nothing else.
ONLY_DRAWN = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox"
)


class LetterPreview(ModelAdmin):
    def preview_view(self, request: HttpRequest, letter: str, language: str) -> HttpResponse:
        """A page of its own, in a frame: of what stands in the form, saved or not."""
        return self._preview(request, self._found(request, letter, language), language)

    def _preview(self, request: HttpRequest, letter: Letter, language: str) -> HttpResponse:
        form = self._form(request, letter, language)
        context: dict[str, Any] = {
            "language": language,
            "is_mail": letter.audience != Audience.PUBLIC,
        }
        if request.method != "POST":
            made, filled = _made_of(
                words.words_of(letter.key, language),
                letter,
                language,
                filling(letter, language=language),
            )
        else:
            try:
                made, filled = _made(letter, language, form)
            except words.WordsRefused as refused:
                context["errors"] = [one for found in refused.errors.values() for one in found]
                return in_a_frame(render_to_string(f"{PAGES}/wrong.html", context))
        context |= {
            "made": made,
            "samples": filled.samples if form.data.get("incident") else (),
        }
        if form.data.get("show") == TEXT or not context["is_mail"]:
            return in_a_frame(render_to_string(f"{PAGES}/plain.html", context))
        bar = render_to_string(f"{PAGES}/bar.html", context)
        return in_a_frame(re.sub(r"<body[^>]*>", lambda body: body[0] + bar, made.html, count=1))

    def _send_test(
        self, request: HttpRequest, letter: Letter, language: str, form: LetterForm
    ) -> None:
        """To whoever presses the button, and to nobody else; with the words as they are typed.

        :raises WordsRefused:
        """
        made, _filled = _made(letter, language, form)
        address = str(getattr(request.user, "email", ""))
        mail = EmailMultiAlternatives(
            subject=_("Test: %s") % made.subject, body=made.text, to=[address]
        )
        mail.attach_alternative(made.html, "text/html")
        try:
            mail.send()
        # What a server answers is an OSError, an address that cannot be written a ValueError.
        except (OSError, SMTPException, ValueError) as error:
            said = _("The test did not go out: %(error)s. Nothing is saved; try again later.")
            self.message_user(request, said % {"error": error}, messages.ERROR)
        else:
            said = _("A test went to %s. Nothing is saved yet.")
            self.message_user(request, said % address, messages.SUCCESS)

    def _form(self, request: HttpRequest, letter: Letter, language: str) -> LetterForm:
        user = request.user
        if request.method == "POST":
            return LetterForm(request.POST, letter=letter, user=user)
        now = words.words_of(letter.key, language)
        newest = next(iter(words.versions(letter.key, language)), None)
        begin = {
            "subject": now.subject,
            "text": now.text,
            "html": now.html,
            "seen": newest.version if newest else 0,
            "incident": request.GET.get("incident", ""),
        }
        return LetterForm(initial=begin, letter=letter, user=user)

    def _check_may_look(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _found(self, request: HttpRequest, key: str, language: str) -> Letter:
        self._check_may_look(request)
        if key not in BY_KEY or language not in dict(settings.LANGUAGES):
            raise Http404
        return BY_KEY[key]


def _made(letter: Letter, language: str, form: LetterForm) -> tuple[words.Rendered, Filling]:
    """:raises WordsRefused: also for what else is wrong in the form"""
    if not form.is_valid():
        raise words.WordsRefused(
            {name: [str(one) for one in found] for name, found in form.errors.items()}
        )
    typed: dict[str, Any] = {name: words.normal(value) for name, value in form.words.items()}
    words.check(letter, **typed)
    filled = filling(
        letter,
        language=language,
        incident=form.cleaned_data.get("incident"),
        person=form.cleaned_data.get("person_found"),
    )
    these = words.Words(subject=typed["subject"], text=typed["text"], html=typed["html"])
    return _made_of(
        these,
        letter,
        language,
        filled,
    )


def _made_of(
    these: words.Words, letter: Letter, language: str, filled: Filling
) -> tuple[words.Rendered, Filling]:
    return words.render_words(these, letter, language=language, values=filled.values), filled


def in_a_frame(html: str) -> HttpResponse:
    return HttpResponse(
        html,
        headers={
            "Content-Security-Policy": ONLY_DRAWN,
            "X-Frame-Options": "SAMEORIGIN",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )
