"""An open calendar keeps up: by the socket, by asking while that is dead, and it says so when both are."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, WebSocket, expect

from tests.browser.enrolling import course_for, fresh_student
from tests.browser.people import Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# Somebody with a lesson in this month, on everybody's clock.
A_LESSON = """
    SELECT l.id, u.email FROM enrollment_lesson l JOIN enrollment_student s ON s.id = l.student_id
      JOIN enrollment_user u ON u.id = s.user_id
     WHERE l.status = 'planned' AND l.seats = 1
       AND l.local_on BETWEEN date_trunc('month', now()) + interval '1 day'
                          AND date_trunc('month', now()) + interval '26 days'
     ORDER BY l.local_on DESC, l.id LIMIT 1
"""
FORM = """<form><input type="radio" name="slot" value="1"><input type="radio" name="slot" value="2">
<input name="note" id="note" value=""></form></div>"""


class Heard:
    """What the calendar's sockets of a page have been told."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[str] = []
        page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        if "/ws/calendar/" in socket.url:
            socket.on("framereceived", lambda frame: self.frames.append(str(frame)))

    def wait(self) -> None:
        """Until the next word, with all the time in the world for those who come again and again."""
        before = len(self.frames)
        for _ in range(60):
            if len(self.frames) > before:
                return
            self.page.clock.fast_forward(3_000)
            self.page.wait_for_timeout(250)
        raise AssertionError("the socket says nothing")


def test_a_calendar_keeps_up_whatever_dies(school: School, visit: Visit) -> None:
    [(lesson, email)] = school.rows(A_LESSON)

    def set_status(status: str) -> None:
        school.change("UPDATE enrollment_lesson SET status = %s WHERE id = %s", status, lesson)

    student = visit(email)
    page = student.page
    page.clock.install()
    heard = Heard(page)
    student.go("/calendar/")
    page.evaluate("window.isStillThere = true")
    entries, old = page.locator("#calendar .entry.planned"), page.get_by_text("Last updated")
    shown = entries.count()
    assert shown
    heard.wait()

    set_status("cancelled")
    expect(entries).to_have_count(shown - 1)
    _nothing_is_taken_from_who_is_in_the_middle_of_it(page, set_status)
    expect(entries).to_have_count(shown)

    with school.sockets_dead():
        set_status("cancelled")
        _become_in_time(entries, shown - 1)
        set_status("planned")
        _become_in_time(entries, shown)
        expect(old).to_have_count(0)

    heard.wait()
    set_status("cancelled")
    expect(entries).to_have_count(shown - 1)
    set_status("planned")
    expect(entries).to_have_count(shown)

    with school.sockets_dead():
        with school.web_stopped():
            for _ in range(6):
                page.clock.fast_forward(10_000)
                page.wait_for_timeout(100)
            expect(old).to_have_text(re.compile(r"Last updated \d\d?:\d\d"))
        _become_in_time(old, 0)
    assert page.evaluate("window.isStillThere")
    student.forgive(because="the sockets' server was killed")


def _become_in_time(shown: Locator, count: int) -> None:
    """By asking: the next question may be on its way already, and the one after is 19 seconds off."""
    for _ in range(60):
        if shown.count() == count:
            return
        shown.page.clock.fast_forward(3_000)
        shown.page.wait_for_timeout(250)
    raise AssertionError(f"the page asks and asks, and still shows {shown.count()}, not {count}")


def test_a_time_that_goes_while_it_is_chosen_is_said(school: School, visit: Visit) -> None:
    email = fresh_student(school)
    student, course = visit(email), course_for(school, email)
    page = student.page
    student.go(f"/calendar/choose/{course.slug}/")
    page.evaluate("window.isStillThere = true")
    times = page.locator("#times input[name=slot]")
    teacher = int(page.locator("input[name=teacher][data-with=slot]").input_value())
    chosen = times.first
    chosen.check(force=True)
    gone = page.get_by_text("has just been taken")
    slot = chosen.input_value()
    # Somebody else takes another time of that day: what is chosen stays chosen.
    last = times.last.input_value()
    _book(school, teacher, last)
    expect(page.locator(f"#times [value='{last}']")).to_have_count(0)
    expect(page.locator("#times input:checked")).to_have_value(slot)
    expect(gone).to_have_count(0)
    _book(school, teacher, slot)
    expect(gone).to_have_count(1)
    expect(page.locator(f"#times [value='{slot}']")).to_have_count(0)
    assert page.evaluate("window.isStillThere")


def _book(school: School, teacher: int, slot: str) -> None:
    """By some student of the sample who has time then."""
    made = school.rows(
        """INSERT INTO enrollment_lesson
             (course_id, teacher_id, student_id, period, local_on, local_start, zone, status)
           SELECT c.id, %s, s.id, wanted, '2030-01-01', '10:00', 'UTC', 'planned'
             FROM enrollment_course c, enrollment_student s,
                  tstzrange(%s::timestamptz, %s::timestamptz + interval '5 minutes') AS wanted
            WHERE NOT EXISTS (SELECT FROM enrollment_lesson l
                               WHERE l.student_id = s.id AND l.period && wanted)
            ORDER BY s.id DESC LIMIT 1
           RETURNING id""",
        teacher,
        slot,
        slot,
    )
    assert made


def _nothing_is_taken_from_who_is_in_the_middle_of_it(page: Page, set_status: Any) -> None:
    """The same part of the page with a form in it, as the choice of a time has one."""
    form = FORM

    def with_form(route: Route) -> None:
        # Without the ETag: a question under way already may have fetched this state without the form.
        headers = {
            name: it for name, it in route.request.headers.items() if name != "if-none-match"
        }
        answer = route.fetch(headers=headers)
        body = answer.text().rstrip().removesuffix("</div>") + form
        route.fulfill(response=answer, body=body)

    page.route(re.compile("/calendar/$"), with_form)
    month = page.locator("#calendar")
    set_status("planned")
    month.locator("[value='2']").check()
    page.locator("#note").fill("half a sentence")
    set_status("cancelled")
    page.wait_for_timeout(1_500)
    expect(month.locator("[value='2']")).to_be_checked()
    expect(page.locator("#note")).to_be_focused()
    expect(page.locator("#note")).to_have_value("half a sentence")
    gone = page.get_by_text("has just been taken")
    expect(gone).to_have_count(0)
    form = FORM.replace('<input type="radio" name="slot" value="2">', "")
    set_status("planned")
    expect(gone).to_have_count(1)
    expect(page.locator("#note")).to_have_value("half a sentence")
    page.unroute(re.compile("/calendar/$"))
