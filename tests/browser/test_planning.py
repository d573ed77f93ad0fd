"""The office plans by hand while every feature is off: a series, with the keyboard alone."""

from datetime import date
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.keyboard import tab_to
from tests.browser.people import Person, Visit
from tests.browser.prober import wait_until_off
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

STAFF = "staff@school.example"
LESSONS = "SELECT count(*) FROM enrollment_lesson WHERE enrollment_id = %s AND status = 'planned'"


def test_a_series_with_a_clash_by_keyboard(school: School, visit: Visit) -> None:
    """The first week is taken by the enrollment's own next lesson; the second is skipped."""
    school.kill_all()
    wait_until_off(school)
    taken = _next_lesson(school)
    [(before,)] = school.rows(LESSONS, taken["enrollment"])
    staff = visit(STAFF)
    staff.go(f"/admin/enrollment/enrollment/{taken['enrollment']}/change/")
    tab_to(staff, "a[href$='/plan-series/']")
    staff.page.keyboard.press("Enter")
    expect(staff.page.get_by_role("heading", name="Plan a series").last).to_be_visible()
    _ask(staff, on=taken["on"], at=taken["at"], count=2)
    expect(staff.page.get_by_role("group", name=f"1. {taken['on']:%A}")).to_contain_text(
        "already has a lesson then"
    )
    tab_to(staff, "[name=week-1]")
    staff.page.keyboard.press("Space")
    first = staff.page.locator("[name=week-1]:checked").get_attribute("value")
    tab_to(staff, "[name=week-2]")
    staff.page.keyboard.press("ArrowUp")  # around, to the last one
    expect(staff.page.locator("[name=week-2]:checked")).to_have_value("skip")
    tab_to(staff, ".office-series button[type=submit]")
    staff.page.keyboard.press("Enter")
    expect(staff.page.get_by_text("1 lesson planned.")).to_be_visible()

    assert school.rows(LESSONS, taken["enrollment"]) == [(before + 1,)]
    [(there,)] = school.rows(
        """SELECT count(*) FROM enrollment_lesson
            WHERE enrollment_id = %s AND lower(period) = %s::timestamptz""",
        taken["enrollment"],
        first,
    )
    assert there == 1


def test_a_clash_without_javascript(school: School, visit: Visit) -> None:
    """The page is there at all, and an offered time fills in the form."""
    taken = _next_lesson(school)
    staff = visit(STAFF, java_script_enabled=False)
    question = f"teacher={taken['teacher']}&first_on={taken['on']}&at={taken['at']}&every=1&count=1"
    staff.go(f"/admin/enrollment/enrollment/{taken['enrollment']}/plan-series/?{question}")
    staff.page.get_by_label("Skip this week").check()
    staff.button("Plan these lessons").click()
    expect(staff.page.get_by_text("Every week is skipped")).to_be_visible()


def _next_lesson(school: School) -> dict[str, Any]:
    """A planned one of a live enrollment, on its teacher's clock."""
    [row] = school.rows(
        """SELECT l.enrollment_id, l.teacher_id, l.local_on, to_char(l.local_start, 'HH24:MI')
             FROM enrollment_lesson l JOIN enrollment_enrollment e ON e.id = l.enrollment_id
             JOIN enrollment_teacher t ON t.id = l.teacher_id
            WHERE l.status = 'planned' AND e.status = 'confirmed' AND e.teacher_id = t.id
              AND t.zone = l.zone AND l.local_on > current_date + 2
            ORDER BY l.period, l.id LIMIT 1"""
    )
    return dict(zip(("enrollment", "teacher", "on", "at"), row, strict=True))


def _ask(staff: Person, *, on: date, at: str, count: int) -> None:
    """The teacher is the enrollment's own. A browser's fields take digits in its own order."""
    tab_to(staff, "[name=first_on]")
    staff.page.keyboard.type(f"{on:%m%d%Y}")
    tab_to(staff, "[name=at]")
    hour, minute = at.split(":")
    staff.page.keyboard.type(
        f"{int(hour) % 12 or 12:02}{minute}{'PM' if int(hour) >= 12 else 'AM'}"
    )
    tab_to(staff, "[name=count]")
    staff.page.keyboard.press("ControlOrMeta+a")
    staff.page.keyboard.type(str(count))
    staff.page.keyboard.press("Enter")
