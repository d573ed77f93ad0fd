"""The console in a browser: it brings itself up to date and loses nothing, on a phone, in the dark, by
keyboard, without any script.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
import pytest
from playwright.sync_api import expect

from tests.browser.axe import CALM, OFFICE_SCHEME, problems, problems_here, send_empty
from tests.browser.people import Person, Visit
from tests.browser.school import School

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

STAFF, ADMIN = "staff@school.example", "admin@school.example"
ROOM = "/admin/rollback/flag/room/"
PHONE: dict[str, Any] = {"width": 390, "height": 844}

BEAT = """
    DELETE FROM rollback_heartbeat;
    INSERT INTO rollback_heartbeat (name, beat_at, by, milliseconds, verdicts)
    SELECT 'a test', now() + interval '10 minutes', 'beat', 12, jsonb_object_agg(name, jsonb_build_object(
           'verdict', 'OK', 'words', '2 of 1,400 (0.14 %) in the last 5 minutes.', 'rate', 0.0014,
           'total', 1400, 'bad', 2))
      FROM rollback_trigger
"""
TOO_FEW = """
    UPDATE rollback_heartbeat SET verdicts = verdicts || jsonb_build_object('errors-holidays',
      jsonb_build_object('verdict', 'UNKNOWN', 'total', 3,
                         'words', '3 in the last minute; to judge, 60 are needed.'))
"""
BREACH = """
    UPDATE rollback_heartbeat SET verdicts = verdicts || jsonb_build_object('errors-calendar',
      jsonb_build_object('verdict', 'BREACH', 'rate', 0.21, 'total', 940, 'bad', 197,
        'words', 'Above 2 % for 5 minutes: 197 of 940 (21 %), certainly at least 17 %.'))
"""
SAMPLES = """
    INSERT INTO rollback_sample (metric, feature, is_on, begins_at, seconds, total, bad)
    SELECT kind.metric, kind.feature, true, date_trunc('minute', now()) - make_interval(mins => ago), 10, 120,
           round(kind.bad * (1 + sin(ago / 4.0)))::int
      FROM generate_series(0, 55) ago,
           (VALUES ('requests', 'ENABLE_CALENDAR_DISPLAY', 1.0), ('api', '', 0.4),
                   ('calendar over 500 ms', 'ENABLE_CALENDAR_DISPLAY', 3.0),
                   ('queries over 100 ms', '', 2.0)) kind (metric, feature, bad)
     WHERE ago NOT BETWEEN 20 AND 24
        ON CONFLICT DO NOTHING
"""
NOTHING_OPEN = """
    SELECT rollback_say('', 'a test', 'person', '', 'it is over');
    UPDATE rollback_incident SET resolved_at = now(), resolved_by_name = 'a test', resolution = 'It is over.'
     WHERE resolved_at IS NULL;
    UPDATE rollback_plan SET state = 'aborted', ended_at = now() WHERE state IN ('running', 'paused')
"""
INCIDENT = """
    SELECT rollback_say('', 'trigger errors-calendar', 'person', '', 'Errors above 2 %.');
    UPDATE rollback_flag SET everyone = false WHERE name = 'ENABLE_CALENDAR_DISPLAY';
    INSERT INTO rollback_incident (title, cause, kind, opened_by_name, resolved_by_name, resolution,
                                   first_bad_at)
    VALUES ('Errors above 2 % for more than five minutes: calendar', 'Above 2 %.', 'errors',
            'trigger errors-calendar', '', '', now() - interval '7 minutes');
    INSERT INTO rollback_latch (flag_name, incident_id)
    SELECT 'ENABLE_CALENDAR_DISPLAY', max(id) FROM rollback_incident
"""
PLAN = """
    WITH made AS (
      INSERT INTO rollback_plan (direction, mode, flags, drain_seconds, state, note, actor_name, actor_kind,
                                 reason, lease_owner)
      VALUES ('down', 'drain', '{ENABLE_AVAILABILITY_API}', 600, 'paused', '', 'staff@school.example',
              'person', 'Programs ask too much.', '') RETURNING id)
    INSERT INTO rollback_planstep (plan_id, number, percent, dwell_seconds, done_at, blast, people)
    SELECT id, step.number, step.percent, 600, step.done, '{}', step.people::bigint[]
      FROM made, (VALUES (1, 50, now() - interval '4 minutes', '{1,2,3}'), (2, 25, NULL, '{}'),
                         (3, 0, NULL, '{}')) step (number, percent, done, people)
"""


# The school evaluates its triggers all the time; what this test says of them stays.
ONLY_THIS_TEST: LiteralString = """
    CREATE FUNCTION only_this_test() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RETURN CASE WHEN current_setting('application_name') = 'a test' THEN NEW
                  WHEN TG_OP = 'UPDATE' THEN OLD END;
    END $$;
    CREATE TRIGGER only_this_test BEFORE INSERT OR UPDATE ON rollback_heartbeat
      FOR EACH ROW EXECUTE FUNCTION only_this_test()
"""
EVERYBODY_AGAIN: LiteralString = "DROP FUNCTION IF EXISTS only_this_test CASCADE"


@contextmanager
def by_itself(school: School) -> Iterator[None]:
    """All is well, and nothing is open; at the end as well."""
    _do(school, ONLY_THIS_TEST)
    try:
        for statements in (NOTHING_OPEN, BEAT, SAMPLES):
            _do(school, statements)
        school.all_on()
        yield
    finally:
        _do(school, EVERYBODY_AGAIN)
        _do(school, NOTHING_OPEN)
        school.all_on()


def _do(school: School, statements: LiteralString) -> None:
    """Several at once, in one transaction."""
    with psycopg.connect(school.database_url, application_name="a test") as connection:
        connection.execute(statements)


def picture(person: Person, name: str) -> None:
    """For looking at: PICTURES names a folder. The office's pages scroll inside, so they are made high."""
    folder = os.environ.get("PICTURES")
    if not folder:
        return
    for look, size, is_dark in (
        ("desktop", {"width": 1280, "height": 2600}, False),
        ("dark", {"width": 1280, "height": 2600}, True),
        ("phone", {"width": 390, "height": 5200}, False),
        ("phone-dark", {"width": 390, "height": 844}, True),
    ):
        person.page.set_viewport_size(size)  # type: ignore[arg-type]
        person.page.evaluate(OFFICE_SCHEME, is_dark)
        person.page.screenshot(path=f"{folder}/{name}-{look}.png", animations="disabled")
    person.page.evaluate(OFFICE_SCHEME, False)
    person.page.set_viewport_size({"width": 1280, "height": 900})


def test_every_state_can_be_read_by_everybody(school: School, visit: Visit) -> None:
    """All well, an incident, a plan, nobody watching, everything at once: with axe and at three widths."""
    staff = visit(STAFF, **CALM)
    said = staff.page.locator("#room-state")
    with by_itself(school):
        found = problems(staff, ROOM)
        expect(said).to_contain_text("Everything is on. Nothing is wrong.")
        picture(staff, "well")
        _do(school, PLAN)
        found += problems(staff, ROOM)
        expect(said).to_contain_text("is paused")
        picture(staff, "plan")
        _do(school, INCIDENT)
        found += problems(staff, ROOM)
        expect(said).to_contain_text("Calendar is off for everybody since")
        picture(staff, "incident")
        staff.page.locator("#room-take-back > summary").click()
        send_empty(staff, "#room-take-back form")
        found += problems_here(staff)
        picture(staff, "take-back")
    assert not found


def test_nobody_watching_and_numbers_out_of_bounds(school: School, visit: Visit) -> None:
    staff = visit(STAFF, **CALM)
    measures = staff.page.locator("#room-measures")
    with by_itself(school):
        _do(school, TOO_FEW)
        found = problems(staff, ROOM)
        expect(measures).to_contain_text("Too little traffic to judge")
        _do(school, BREACH)
        found += problems(staff, ROOM)
        expect(measures).to_contain_text("Out of bounds")
        picture(staff, "breach")
        _do(school, "UPDATE rollback_heartbeat SET beat_at = now() - interval '3 minutes'")
        found += problems(staff, ROOM)
        expect(staff.page.locator("#room-state")).to_contain_text("Nobody is watching")
        picture(staff, "nobody")
    assert not found


def test_it_brings_itself_up_to_date_and_loses_nothing(school: School, visit: Visit) -> None:
    """On a phone, by keyboard; then the server hangs, and then nobody looks."""
    with by_itself(school):
        staff = visit(STAFF, viewport=PHONE, color_scheme="dark")
        staff.page.clock.install()
        staff.go(ROOM)
        said, updated = staff.page.locator("#room-state"), staff.page.locator("#room-updated")
        expect(said).to_contain_text("Nothing is wrong.")
        summary = staff.page.locator("#room-take-back > summary")
        summary.focus()
        staff.page.keyboard.press("Enter")
        staff.page.keyboard.press("Tab")
        staff.page.keyboard.type("every")
        asked: list[str] = []
        staff.page.on("request", lambda request: asked.append(request.url))
        _do(school, INCIDENT)
        staff.page.clock.run_for(5_000)
        expect(said).to_contain_text("Calendar is off for everybody since")
        expect(staff.page.locator("#room-said")).to_contain_text("Calendar is off for everybody")
        word = staff.page.locator("[name=word]")
        expect(word).to_be_focused()
        expect(word).to_have_value("every")
        # A button in a part that changes has the focus again, or its part has.
        button = staff.page.locator("#room-incidents button")
        button.focus()
        _do(school, PLAN)
        _do(school, "UPDATE rollback_incident SET severity = 1 WHERE resolved_at IS NULL")
        staff.page.clock.run_for(5_000)
        expect(staff.page.locator("#room-plans")).to_contain_text("1 of 3 steps done")
        expect(staff.page.locator("#room-incidents")).to_contain_text("nobody can enroll")
        expect(button).to_be_focused()

        _hide(staff, hidden=True)
        asked.clear()
        staff.page.clock.run_for(60_000)
        assert not [url for url in asked if ROOM in url]
        _hide(staff, hidden=False)
        expect(updated).not_to_have_class("late")
        assert 304 in [_asks_again(staff) for _ in range(4)]

        with school.web_stopped():
            staff.page.clock.run_for(5_000)
            expect(updated).to_contain_text("the server does not answer")
            expect(updated).to_have_class("late")
            picture(staff, "silent")
        staff.page.clock.run_for(5_000)
        expect(updated).not_to_contain_text("does not answer")
        staff.trouble.clear()  # what the browser writes of a server that hangs
        button.focus()
        staff.page.keyboard.press("Enter")
        expect(staff.page.locator("#room-incidents")).to_contain_text("has it, since")


def _asks_again(person: Person) -> int:
    with person.page.expect_response(f"**{ROOM}") as answer:
        person.page.clock.run_for(5_000)
    return answer.value.status


def _hide(person: Person, *, hidden: bool) -> None:
    """As a tab in the background."""
    person.page.evaluate(
        """hidden => {
             Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
             document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_everything_is_taken_back_without_any_script(school: School, visit: Visit) -> None:
    with by_itself(school):
        staff = visit(STAFF, java_script_enabled=False)
        staff.go(ROOM)
        staff.page.locator("#room-take-back > summary").click()
        staff.field("Type “everything”").fill("everything")
        staff.page.locator("#room-take-back").get_by_label("Reason").fill("Nothing works.")
        staff.button("Take everything back").click()
        expect(staff.page.locator("#room-state")).to_contain_text("Everything is off for everybody")
        assert school.rows("SELECT count(*) FROM rollback_flag WHERE everyone = false") == [(4,)]
        staff.page.locator("#room-incidents button").click()
        expect(staff.page.locator("#room-incidents")).to_contain_text("has it, since")


def test_a_plan_by_its_form(school: School, visit: Visit) -> None:
    admin = visit(ADMIN, **CALM)
    with by_itself(school):
        found = problems(admin, f"{ROOM}start/")
        send_empty(admin, "#main form[method=post]")
        found += problems_here(admin)
        picture(admin, "plan-error")
        admin.page.get_by_label("Availability API").check()
        admin.page.get_by_label("Reason").fill("Programs ask too much.")
        admin.button("Show whom it concerns").click()
        expect(admin.page.get_by_text("counted from now")).to_be_visible()
        found += problems_here(admin)
        picture(admin, "plan-preview")
        admin.button("Start the plan").click()
        expect(admin.page.locator("#room-plans")).to_contain_text("Step back: Availability API")
        assert not found
