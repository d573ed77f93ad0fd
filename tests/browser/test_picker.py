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

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

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


def within(student: Person, day: date) -> date:
    """What can be booked has a first and a last day; nobody gets beyond them."""
    table = student.page.locator("table[data-grid]")
    ends = [str(table.get_attribute(f"data-{name}")) for name in ("first", "last")]
    return min(max(day, date.fromisoformat(ends[0])), date.fromisoformat(ends[1]))


def months_on(day: date, by: int) -> date:
    month = (day.replace(day=1) + by * 31 * DAY).replace(day=1)
    last = (month + 31 * DAY).replace(day=1) - DAY
    return min(last, month + (day.day - 1) * DAY)


def step(student: Person, key: str, to: date) -> None:
    """Over the end of a month, if it is there: that is another table, whose heading says so."""
    there = within(student, to)
    press(student, key)
    expect_focus(student, there)
    expect(student.page.locator("#month-title")).to_have_text(f"{there:%B %Y}")


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
    assert re.search(rf"- 'gridcell \"{name}: \d+ free times?\" \[selected\]", tree)
    assert re.search(r'- gridcell "\w+ \d+ \w+" \[disabled\]', tree)

    expect(student.page.locator("#month-title")).to_have_attribute("aria-live", "polite")
    for key, days in (("ArrowRight", 1), ("ArrowLeft", -1), ("ArrowDown", 7), ("ArrowUp", -7)):
        step(student, key, focused(student) + days * DAY)
    for key, months in (("PageDown", 1), ("PageUp", -1), ("Shift+PageDown", 12)):
        step(student, key, months_on(focused(student), months))
    press(student, "Home")
    monday = focused(student)
    press(student, "End")
    assert DAY <= focused(student) - monday + DAY <= 7 * DAY
    assert monday.weekday() == 0 or monday.day == 1
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
    another = student.page.locator(f"{CELL}:not([aria-selected]):has(a)").first
    other = date.fromisoformat(str(another.get_attribute("data-day")))
    another.get_by_role("link").click()
    expect(student.page.get_by_role("group", name="Chosen so far")).to_be_visible()
    expect(student.page.locator("#times input:checked")).to_have_value(str(slot))
    expect_focus(student, other)
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
    for key, days in (("ArrowLeft", 1), ("ArrowRight", -1), ("ArrowDown", 7)):
        there = within(student, focused(student) + days * DAY)
        press(student, key)
        expect_focus(student, there)
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
    # A day further on, maybe of another month; and any day of that one.
    tab_to(student, "#next-free")
    press(student, "Enter")
    expect(student.page).to_have_url(re.compile(r"day=\d{4}-\d\d-\d\d$"))
    day = student.page.locator("td[data-day]:has(a)").last
    on = day.get_attribute("data-day")
    day.get_by_role("link").click()
    expect(student.page).to_have_url(re.compile(rf"day={on}$"))
    student.page.locator("label.slot").first.click()
    student.button("Hold this time and go on").click()
    expect(student.page.get_by_role("heading", name="Tell us more")).to_be_visible()
