"""The office's pages that need more than an address: by axe, after what is done to get there."""

import pytest
from playwright.sync_api import expect

from tests.browser.axe import CALM, problems, problems_here, send_empty
from tests.browser.people import Person, Visit
from tests.browser.school import School
from tests.browser.things import things_of, unreadable_draft

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

STAFF = "staff@school.example"
ADMIN = "admin@school.example"
LESSONS = "/admin/enrollment/lesson"
ENROLLMENTS = "/admin/enrollment/enrollment"


def test_what_opens_on_a_page(visit: Visit) -> None:
    """The search of all pages, the menu of one's own, the filters."""
    admin = visit(ADMIN, **CALM)
    admin.go(f"{LESSONS}/")
    admin.page.keyboard.press("ControlOrMeta+k")
    expect(admin.page.locator("#search-input-command")).to_be_focused()
    admin.page.keyboard.type("lesson", delay=20)
    expect(admin.page.locator("#command-results").get_by_role("link").first).to_be_visible()
    found = problems_here(admin)
    admin.go(f"{LESSONS}/")
    admin.page.get_by_role("button", name=ADMIN).click()
    expect(admin.button("Log out")).to_be_visible()
    found += problems_here(admin)
    admin.go(f"{LESSONS}/")
    admin.page.get_by_role("button", name="Filters").click()
    expect(admin.page.locator("#changelist-filter")).to_be_visible()
    assert not [*found, *problems_here(admin)]


def test_weeks_and_days_that_are_full(visit: Visit, school: School) -> None:
    [(enrollment, teacher, on)] = school.rows(
        """SELECT l.enrollment_id, l.teacher_id, l.local_on FROM enrollment_lesson l
             JOIN enrollment_enrollment e ON e.id = l.enrollment_id
            WHERE l.status = 'planned' AND e.status = 'confirmed'
            ORDER BY l.period DESC, l.id LIMIT 1"""
    )
    series = f"{ENROLLMENTS}/{enrollment}/plan-series/?teacher={teacher}&every=1"
    staff, found = visit(STAFF, **CALM), []
    for path in (
        f"{LESSONS}/week/?teacher={teacher}&on={on}",
        f"{LESSONS}/week/?teacher=nobody&on=never",
        f"{LESSONS}/day/?on={on}",
        f"{LESSONS}/?q=nothing+is+called+this",
        f"{series}&first_on={on}&at=16:00&count=3",
        f"{series}&first_on=never&at=25:00&count=0",
    ):
        found += problems(staff, path)
    assert not found


@pytest.mark.parametrize(
    ("page", "action"),
    [
        (f"{LESSONS}/?status__exact=planned", "cancel_selected"),
        (f"{LESSONS}/?status__exact=planned", "move_selected"),
        ("/admin/enrollment/course/", "delete_selected"),
    ],
)
def test_several_at_once(page: str, action: str, visit: Visit) -> None:
    staff = visit(STAFF, **CALM)
    staff.go(page)
    staff.page.locator("input.action-select").nth(0).check()
    staff.page.locator("input.action-select").nth(1).check()
    found = problems_here(staff)
    staff.page.locator("select[name=action]").first.select_option(action)
    staff.page.get_by_title("Run the selected action").first.click()
    expect(staff.page.locator("#result_list")).to_have_count(0)
    assert not [*found, *problems_here(staff)]


# By its page, a form that is sent with nothing filled in.
REFUSED = (
    "/admin/rollback/flag/{rollback.flag}/kill/",
    "/admin/rollback/flag/{rollback.flag}/set-share/",
    "/admin/rollback/flag/{rollback.flag}/change/",
    "/admin/rollback/flag/kill-everything/",
    "/admin/rollback/incident/{rollback.incident}/resolve/",
    "/admin/rollback/incident/{rollback.incident}/words/{sending}/release/",
    "/admin/rollback/phaserun/now/?target=3",
    "/admin/rollback/phaserun/{run}/cancel/",
    "/admin/enrollment/thread/{enrollment}/change/",
    "/admin/enrollment/user/{enrollment.user}/erase/",
    "/admin/enrollment/lesson/add/",
    "/admin/enrollment/enrollment/add/",
    "/admin/enrollment/course/add/",
    "/admin/holidays/holiday/add/",
)


@pytest.mark.parametrize("path", REFUSED)
def test_a_form_that_comes_back(path: str, visit: Visit, school: School) -> None:
    admin = visit(ADMIN, **CALM)
    for name, thing in things_of(school, ADMIN).items():
        path = path.replace(f"{{{name}}}", thing)
    admin.go(path)
    send_empty(admin, "#main form[method=post]")
    assert not problems_here(admin)


def test_a_conversation_that_was_opened(visit: Visit, school: School) -> None:
    staff = visit(STAFF, **CALM)
    staff.go(f"/admin/enrollment/thread/{things_of(school, STAFF)['enrollment']}/change/")
    staff.field("Reason").fill("A complaint.")
    staff.button("Open once").click()
    expect(staff.page.get_by_text("Shall we play the second piece?").first).to_be_visible()
    assert not problems_here(staff)


@pytest.mark.parametrize("step", ["give-back", "delete"])
def test_a_draft_that_could_not_be_read(step: str, visit: Visit, school: School) -> None:
    things_of(school, STAFF)
    draft = f"/admin/rollback/enrollmentdraft/{unreadable_draft(school)}"
    staff = visit(STAFF, **CALM)
    staff.go(f"{draft}/change/")
    assert not [*problems(staff, f"{draft}/change/"), *_of_link(staff, step)]


def _of_link(person: Person, ending: str) -> list[str]:
    person.page.locator(f"a[href*='/{ending}']").first.click()
    return problems_here(person)


def test_while_a_feature_is_killed(visit: Visit, school: School) -> None:
    school.kill_all()
    admin = visit(ADMIN, **CALM)
    flag = things_of(school, ADMIN)["rollback.flag"]
    found = problems(admin, "/admin/rollback/flag/")
    assert not [*found, *problems(admin, f"/admin/rollback/flag/{flag}/restore/")]


def test_after_logging_out(visit: Visit) -> None:
    """A login of its own: the others go on using theirs."""
    staff = visit(**CALM)
    staff.log_in(STAFF)
    staff.go("/admin/")
    staff.page.get_by_role("button", name=STAFF).click()
    staff.button("Log out").click()
    staff.page.wait_for_url("**/admin/logout/")
    assert not problems_here(staff)
