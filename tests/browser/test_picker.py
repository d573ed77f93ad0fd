"""The slot picker by keyboard alone and by ear, written from the right, and without a script."""

import re
from datetime import date, timedelta

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.axe import problems_here
from tests.browser.enrolling import Course, course_for, expect_saved, fresh_student
from tests.browser.keyboard import press, tab_to
from tests.browser.people import Person, Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

CELL = "td[role=gridcell]"
DAY = timedelta(days=1)


def focused(student: Person) -> date:
    day = student.page.evaluate("document.activeElement.dataset.day ?? ''")
    assert day, student.page.evaluate("document.activeElement.outerHTML")
    return date.fromisoformat(day)


def cell(student: Person, day: date) -> Locator:
    return student.page.locator(f"[data-day='{day}']")


def expect_focus(student: Person, day: date) -> None:
    expect(cell(student, day)).to_be_focused()
    expect(student.page.locator(f"{CELL}[tabindex='0']")).to_have_count(1)


def month_end(day: date) -> date:
    return (day.replace(day=1) + 31 * DAY).replace(day=1) - DAY


def nights_on(student: Person, key: str, way: int) -> None:
    """One day and back, over the end of a month if that is where it is."""
    start = focused(student)
    press(student, key)
    expect_focus(student, start + way * DAY)


def test_by_keyboard_and_by_ear(school: School, visit: Visit) -> None:
    email = fresh_student(school)
    student, course = visit(email, reduced_motion="reduce"), course_for(school, email)
    student.go(course.step())
    grid = student.page.get_by_role("grid")
    title = student.page.locator("#month-title").inner_text()
    tab_to(student, CELL)
    first = focused(student)
    expect_focus(student, first)
    expect(cell(student, first)).to_have_attribute("aria-selected", "true")
    tree = grid.aria_snapshot()
    assert tree.startswith(f'- grid "{title}":')
    assert '- columnheader "Mon' in tree
    name = f"{first:%A} {first.day} {first:%B}"
    assert re.search(rf'- gridcell "{name}: \d+ free times?" \[selected\]', tree)
    assert re.search(r'- gridcell "\w+ \d+ \w+" \[disabled\]', tree)

    nights_on(student, "ArrowRight", 1)
    nights_on(student, "ArrowLeft", -1)
    nights_on(student, "ArrowDown", 7)
    press(student, "Home")
    sunday_to_monday = focused(student)
    press(student, "End")
    assert focused(student) - sunday_to_monday <= 6 * DAY
    # Over the end of the month, which is another table then; its heading is what says so.
    before = focused(student)
    press(student, "PageDown")
    expect(student.page.locator("#month-title")).not_to_have_text(title)
    expect(student.page.locator("#month-title")).to_have_attribute("aria-live", "polite")
    there = min(month_end(month_end(before) + DAY), before + (month_end(before) - before) + before.day * DAY)
    expect_focus(student, there)
    press(student, "PageUp")
    expect(student.page.locator("#month-title")).to_have_text(title)
    press(student, "Shift+PageDown")
    last = date.fromisoformat(str(student.page.locator("table[data-grid]").get_attribute("data-last")))
    expect(cell(student, last)).to_be_focused()
    closed = student.page.locator(f"{CELL}[aria-disabled=true]").first
    closed.focus()
    press(student, "Enter")
    said = student.page.locator("[data-grid-said]")
    expect(said).to_contain_text(str(closed.get_attribute("data-name")))
    assert closed.get_attribute("aria-describedby")

    # A day of that month is chosen: its times come, and the focus stays where it was.
    free = student.page.locator(f"{CELL}:has(a)").last
    free.focus()
    day = focused(student)
    press(student, "Enter")
    expect(student.page).to_have_url(re.compile(rf"day={day}$"))
    expect_focus(student, day)
    expect(student.page.locator("[aria-selected=true]")).to_have_count(1)
    expect(said).to_contain_text(f"{day:%A} {day.day} {day:%B}: ")
    tab_to(student, "#times input[type=radio]")
    press(student, "Space")
    radio = student.page.locator("#times input:checked")
    slot = radio.get_attribute("value")
    assert re.match(rf"- radio \"{day:%A} {day.day} {day:%B %Y}, \d\d:\d\d", radio.aria_snapshot())
    expect_saved(student)

    # What is chosen stays chosen, and saved, while another day is looked at.
    tab_to(student, "#month-before", back=True)
    press(student, "Enter")
    expect(student.page.get_by_role("group", name="Chosen so far")).to_be_visible()
    expect(student.page.locator("#times input:checked")).to_have_value(str(slot))
    expect(student.page.locator("#month-before, #month-after").first).to_be_focused()
    assert problems_here(student) == []
    student.page.go_back()
    expect(student.page.locator("[data-chosen]")).to_have_attribute("data-day", str(day))
    expect(student.page.locator("#times input:checked")).to_have_value(str(slot))
    tab_to(student, "main form[data-autosave] button")
    press(student, "Enter")
    expect(student.page.get_by_role("heading", name="Tell us more")).to_be_visible()


def test_written_from_the_right(school: School, visit: Visit) -> None:
    email = fresh_student(school)
    student, course = visit(email, reduced_motion="reduce"), course_for(school, email)
    student.context.add_cookies([{"name": "django_language", "value": "he", "url": school.url}])
    student.go(course.step())
    assert student.page.evaluate("document.dir") == "rtl"
    tab_to(student, CELL)
    nights_on(student, "ArrowLeft", 1)
    nights_on(student, "ArrowRight", -1)
    nights_on(student, "ArrowDown", 7)
    sunday, monday = (student.page.locator("th").nth(n).bounding_box() for n in (6, 0))
    assert sunday is not None
    assert monday is not None
    assert sunday["x"] < monday["x"]
    assert problems_here(student) == []


def test_without_a_script(school: School, visit: Visit) -> None:
    email = fresh_student(school)
    student = visit(email, java_script_enabled=False, viewport={"width": 320, "height": 640})
    course: Course = course_for(school, email)
    student.go(course.step())
    tab_to(student, "#month-after")
    press(student, "Enter")
    expect(student.page).to_have_url(re.compile(r"month=\d{4}-\d\d$"))
    day = student.page.locator("td[data-day]:has(a)").last
    on = day.get_attribute("data-day")
    day.get_by_role("link").click()
    expect(student.page).to_have_url(re.compile(rf"day={on}$"))
    student.page.locator("label.slot").first.click()
    student.button("Hold this time and go on").click()
    expect(student.page.get_by_role("heading", name="Tell us more")).to_be_visible()
