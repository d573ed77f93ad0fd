"""The school's pages, asked without a server: through the whole middleware stack, in this thread and
on this thread's connection, so that whatever a page writes is undone with the probe's transaction.

Nothing leaves the process: mails and tasks wait for COMMIT (`transaction.on_commit`), notifications
of the database are delivered at COMMIT, and there is none. Numbers of sequences are used up, no more.
"""

import time
from contextvars import copy_context
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import BytesIO
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.db import transaction
from django.urls import resolve, reverse
from django.utils.translation import gettext as _

from rollback.domain.probing import probing
from rollback.domain.verification import ProbeFailed

REDIRECTS = 5
SERVER_ERROR = 500
LOGINS = ("account_login", "admin:login")


class Handler(BaseHandler):
    """As a server has it, but it sends no signals of requests: those would close the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()

    def process_exception_by_middleware(self, exception: Exception, request: Any) -> Any:
        """Kept, so that the words can say what went wrong and not only that it did."""
        request.broke_with = exception
        return super().process_exception_by_middleware(exception, request)


@dataclass(frozen=True, slots=True)
class Page:
    path: str
    status: int
    text: str
    milliseconds: float
    location: str = ""
    broke_with: str = ""

    def links(self) -> set[str]:
        found = _Reader()
        found.feed(self.text)
        return {urlsplit(link).path for link in found.links}

    def form(self, *, with_field: str) -> dict[str, str]:
        """What the browser would post of the form that has this field, as it was filled in.

        :raises ProbeFailed: no such form
        """
        found = _Reader()
        found.feed(self.text)
        for form in found.forms:
            if with_field in form:
                return form
        raise ProbeFailed(
            _("The page %(path)s has no form with the field “%(field)s”.")
            % {"path": self.path, "field": with_field}
        )


@dataclass
class _Reader(HTMLParser):
    """Links, and the names and values of each form."""

    links: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    _area: str = ""
    _select: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in known:
            self.links.append(known["href"])
        elif tag == "form":
            self.forms.append({})
        elif self.forms:
            self._note(tag, known)

    def _note(self, tag: str, known: dict[str, str]) -> None:
        form, name = self.forms[-1], known.get("name", "")
        if tag == "option" and self._select:
            if "selected" in known or self._select not in form:
                form[self._select] = known.get("value", "")
        elif not name:
            return
        elif tag == "textarea":
            self._area = name
            form[name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "input" and known.get("type") not in {"checkbox", "radio", "submit"}:
            form[name] = known.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1][self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            # As browsers do: what is written begins after the first end of a line.
            if self._area:
                form = self.forms[-1]
                form[self._area] = form[self._area].removeprefix("\r").removeprefix("\n")
            self._area = ""
        elif tag == "select":
            self._select = ""


class Browser:
    """One person's. The session is a real one, in the transaction that is undone."""

    def __init__(self, handler: Handler, user: Any = None) -> None:
        self._handler = handler
        self._cookies: dict[str, str] = {}
        if user is not None:
            self.log_in(user)

    def log_in(self, user: Any) -> None:
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        self._cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""

    def get(self, path: str) -> Page:
        return self._ask("GET", path, b"")

    def post(self, path: str, data: dict[str, str]) -> Page:
        return self._ask("POST", path, urlencode(data).encode())

    def page(self, path: str, *, may_lead_on: bool = False) -> Page:
        """:raises ProbeFailed: it answers with anything but a page, or asks to log in"""
        asked = self.get(path)
        for _redirect in range(REDIRECTS):
            if not asked.location:
                break
            leads_to = urlsplit(asked.location).path
            if resolve(leads_to).view_name in LOGINS:
                raise ProbeFailed(_("%(path)s asks to log in.") % {"path": path}, path=path)
            if not may_lead_on:
                words = _("%(path)s leads to %(to)s.")
                raise ProbeFailed(words % {"path": path, "to": leads_to}, path=path)
            asked = self.get(asked.location)
        if asked.status != 200:
            raise ProbeFailed(_how_it_answered(path, asked), path=path, status=asked.status)
        return asked

    def _ask(self, method: str, path: str, body: bytes) -> Page:
        request = self._request(method, path, body)
        started = time.perf_counter()
        # A broken page may leave the transaction unusable: only its own savepoint.
        with transaction.atomic():
            # In a copy: the language, the zone and what the log says about a request stay in there.
            response = copy_context().run(self._answer, request)
            if response.status_code >= SERVER_ERROR:
                transaction.set_rollback(True)
        took = (time.perf_counter() - started) * 1000
        for name, cookie in response.cookies.items():
            self._cookies[name] = cookie.coded_value
        broke_with = getattr(request, "broke_with", None)
        return Page(
            path=path,
            status=response.status_code,
            text="" if response.streaming else response.content.decode(response.charset, "replace"),
            milliseconds=took,
            location=response.headers.get("Location", ""),
            broke_with=f"{type(broke_with).__name__}: {broke_with}"[:300] if broke_with else "",
        )

    def _answer(self, request: WSGIRequest) -> Any:
        with probing():
            return self._handler.get_response(request)

    def _request(self, method: str, path: str, body: bytes) -> WSGIRequest:
        asked, site = urlsplit(path), urlsplit(settings.SITE_URL)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": asked.path,
            "QUERY_STRING": asked.query,
            "SERVER_NAME": site.hostname or "localhost",
            "SERVER_PORT": str(site.port or (443 if site.scheme == "https" else 80)),
            "HTTP_HOST": site.netloc,
            "HTTP_REFERER": f"{settings.SITE_URL}{asked.path}",
            "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
            "HTTP_ACCEPT": "text/html",
            "HTTP_USER_AGENT": "probe",
            "HTTP_X_FORWARDED_PROTO": site.scheme,
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": site.scheme,
            "wsgi.input": BytesIO(body),
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
        }
        return WSGIRequest(environ)


def _how_it_answered(path: str, page: Page) -> str:
    words = _("%(path)s answers with %(status)s.") % {"path": path, "status": page.status}
    return f"{words} {page.broke_with}".strip()


def path_of(name: str) -> str:
    """“enrollment:home” or, with a query, “admin:enrollment_lesson_day?on=2026-03-01”."""
    url, mark, query = name.partition("?")
    return reverse(url) + mark + query
