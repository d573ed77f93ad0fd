"""The student of a rehearsal: into the middle of the new flow, and out of it by the original one.

In a real browser against a real server where there is a Chromium; else by the same pages, asked in process.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import time as clock
from http.client import HTTPConnection, HTTPException
from typing import Any, TypeVar
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from config import statics
from config.local import browser as chromium
from config.local import ports
from enrollment.models import Course, Enrollment, Student, Teacher, User
from enrollment.operations.people import save_student, save_teacher
from rollback.probes.in_process import Browser, Handler
from rollback.rehearsing.helper import StepFailed
from scheduling.domain.choice import as_text
from scheduling.models import AvailabilityRule
from scheduling.queries.availability import free_slots, moment

T = TypeVar("T")
NOTE = "I have played for two years.\nThe stairs are <hard> for me & my cello."
WISHED = "Mondays after 16:00 – or “Saturday” mornings"
FIRST_PORT = 18_900
SERVER_SECONDS = 60
PATIENCE = 15_000  # ms
ENDED = (OSError, HTTPException)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Who wants what. slot: as the form posts it."""

    student: Student
    course: Course
    teacher: Teacher
    slot: str

    def path(self, name: str) -> str:
        return reverse(name, args=[self.course.slug])

    def check(self, form: Mapping[str, str]) -> None:
        """form: what the original form shows. :raises StepFailed: something typed is not in it"""
        lost = [
            name
            for name, kept in {
                "teacher": form.get("teacher") == str(self.teacher.pk),
                "slot": self.teacher.display_name in form.get("wished_times", ""),
                "wished_times": WISHED in form.get("wished_times", ""),
                "note": _same(form.get("note", ""), NOTE),
            }.items()
            if not kept
        ]
        if lost:
            words = _("The original form lacks what the student had entered: %(names)s.")
            raise StepFailed(words % {"names": ", ".join(lost)})

    def check_enrolled(self) -> None:
        """:raises StepFailed:"""
        found = list(Enrollment.objects.filter(student=self.student, course=self.course))
        if len(found) != 1 or found[0].flow != "original" or not _same(found[0].note, NOTE):
            words = _("The form was sent; afterwards there are %(number)s enrollments like that.")
            raise StepFailed(words % {"number": len(found)})


def _same(one: str, other: str) -> bool:
    """Browsers post their own ends of lines."""
    return one.replace("\r\n", "\n") == other


def journey() -> "InBrowser | InProcess":
    path = chromium.find()
    return InProcess() if path is None else InBrowser(path)


class InProcess:
    """The same pages through the whole middleware, without a server."""

    def prepare(self) -> None:
        prepare_statics()

    def begin(self) -> str:
        self.wanted = wanted = somebody()
        self.browser = Browser(Handler(), wanted.student.user)
        choose = wanted.path("calendar:choose")
        # With what else the page sends along, the token above all.
        chosen = self.browser.page(choose).form(with_field="teacher")
        chosen |= {"teacher": str(wanted.teacher.pk), "slot": wanted.slot}
        answer = self.browser.post(choose, chosen)
        details = wanted.path("scheduling:details")
        _expect(answer.location == details, _("the time was not held"))
        self.typed = self.browser.page(details).form(with_field="note")
        self.typed |= {"note": NOTE, "wished_times": WISHED}
        return _(
            "There is no Chromium here, so the pages were asked in process. A time was held, and the "
            "details were typed."
        )

    def go_on(self) -> str:
        original = self.wanted.path("enrollment:enroll")
        answer = self.browser.post(self.wanted.path("scheduling:details"), self.typed)
        _expect(answer.location == original, _("the click did not lead to the original form"))
        form = self.browser.page(original).form(with_field="wished_times")
        self.wanted.check(form)
        self.browser.post(original, form)
        self.wanted.check_enrolled()
        return _("The click led to the original form; teacher, time, wishes and note were in it.")

    def close(self) -> None:
        """Nothing is left open."""


class InBrowser:
    """Playwright's loop lives in a thread of its own: Django refuses to talk to its database beside it."""

    def __init__(self, chromium_path: str) -> None:
        self._path = chromium_path
        self._thread = ThreadPoolExecutor(1, "browser")
        self._server: subprocess.Popen[bytes] | None = None
        self._started: Any = None
        self._page: Any = None

    def prepare(self) -> None:
        prepare_statics()

    def begin(self) -> str:
        self.wanted = somebody()
        self._url = self._serve()
        # What the browser's thread needs of Django, asked for here.
        names = ("calendar:choose", "scheduling:details", "enrollment:enroll")
        self._paths = {name: self.wanted.path(name) for name in names}
        self._cookie = session_of(self.wanted.student.user) | {"url": self._url}
        version = self._there(self._open)
        self._there(self._to_the_middle)
        words = _(
            "A student came with %(browser)s to a server of the copy, held a time, and typed the details."
        )
        return words % {"browser": f"Chromium {version}"}

    def go_on(self) -> str:
        self.wanted.check(self._there(self._to_the_original))
        self._there(self._enroll)
        self.wanted.check_enrolled()
        return _("The click led to the original form; teacher, time, wishes and note were in it.")

    def close(self) -> None:
        if self._started is not None:
            self._thread.submit(self._started.stop).result(10)
        self._thread.shutdown(wait=False)
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def _there(self, do: Callable[[], T]) -> T:
        from playwright.sync_api import Error

        try:
            return self._thread.submit(do).result()
        except Error as error:
            raise StepFailed(_("In the browser: %(error)s") % {"error": error.message}) from error

    def _serve(self) -> str:
        """Of our own process group, so that whoever ends that ends it too. Its environment is ours."""
        port = ports.next_free(FIRST_PORT)
        command = f"granian --interface wsgi --host 127.0.0.1 --port {port} --workers 1 --no-ws"
        command += " --blocking-threads 2 config.wsgi:application"
        # Our own words.
        self._server = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", *command.split()], stdin=subprocess.DEVNULL
        )
        deadline = time.monotonic() + SERVER_SECONDS
        while not _answers(port):
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise StepFailed(_("The copy’s server does not start."))
            time.sleep(0.1)
        return f"http://127.0.0.1:{port}"

    def _open(self) -> str:
        from playwright.sync_api import sync_playwright

        self._started = sync_playwright().start()
        args = [*chromium.flags(), "--disable-gpu", "--disable-background-networking"]
        browser = self._started.chromium.launch(executable_path=self._path, args=args)
        context = browser.new_context(locale="en-US", base_url=self._url)
        context.add_cookies([self._cookie])
        self._page = context.new_page()
        self._page.set_default_timeout(PATIENCE)
        return str(browser.version)

    def _to_the_middle(self) -> None:
        page = self._page
        page.goto(self._paths["calendar:choose"])
        page.locator("label.slot").first.click()
        _submit(page)
        page.wait_for_url(f"**{self._paths['scheduling:details']}")
        page.locator("[name=wished_times]").fill(WISHED)
        page.locator("[name=note]").fill(NOTE)

    def _to_the_original(self) -> dict[str, str]:
        page = self._page
        _submit(page)
        page.wait_for_url(f"**{self._paths['enrollment:enroll']}")
        names = ("teacher", "wished_times", "note")
        return {name: page.locator(f"[name={name}]").input_value() for name in names}

    def _enroll(self) -> None:
        _submit(self._page)
        self._page.wait_for_url(lambda url: self._paths["enrollment:enroll"] not in url)


def _submit(page: Any) -> None:
    page.locator("main form[method=post] button.primary[type=submit]").first.click()


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": "localhost"})
        return bool(connection.getresponse().status < 500)
    except ENDED:
        return False
    finally:
        connection.close()


def _expect(true: bool, words: str) -> None:
    if not true:
        raise StepFailed(words)


def prepare_statics() -> None:
    """The school's own were linked to, if it has any; what is older than the code is no use."""
    if statics.changed():
        if settings.STATIC_ROOT.is_symlink():
            settings.STATIC_ROOT.unlink()
        statics.collect()


def somebody() -> Wanted:
    """A student, a course and a teacher of their own: nobody's real lesson is in their way."""
    course = Course.objects.create(title="Rehearsal", slug=f"rehearsal-{uuid4().hex}")
    teacher = Teacher(user=_user("teacher"), display_name="Rehearsal", zone=settings.TIME_ZONE)
    save_teacher(teacher=teacher)
    course.teachers.add(teacher)
    for weekday in range(7):
        AvailabilityRule.objects.create(
            teacher=teacher, weekday=weekday, starts=clock(8), ends=clock(20)
        )
    student = Student(user=_user("student"), zone=settings.TIME_ZONE)
    save_student(student=student)
    slots = free_slots(teacher=teacher, course=course, now=timezone.now(), student=student)
    if not slots:
        raise StepFailed(_("No time is free in the whole horizon: the school is closed."))
    slot = as_text(moment(slots[0][0]))
    return Wanted(student=student, course=course, teacher=teacher, slot=slot)


def _user(role: str) -> User:
    made: User = User.objects.create(
        email=f"{role}-{uuid4().hex}@rehearsal.invalid", first_name="Rehearsal", last_name=role
    )
    return made


def session_of(user: Any) -> dict[str, str]:
    """A cookie, as the browser takes it."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return {"name": settings.SESSION_COOKIE_NAME, "value": session.session_key or ""}
