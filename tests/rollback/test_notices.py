"""What stands above every page: for whom, in which words, until when, and without a query."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.utils import timezone

from enrollment.models import Course, Student, User
from rollback import incidents, switchboard
from rollback.audit import Actor, actor_of
from rollback.domain.notices import Audience, Level, Notice, in_language, level_of, shown
from rollback.doors import lost
from rollback.models import Banner, EnrollmentDraft, Incident, Maintenance
from rollback.public import board, updates
from rollback.public.closed import COOKIE, MOST
from rollback.public.updates import Words
from tests.conftest import Switches
from tests.rollback.others import eventually

OFFICE = Actor(name="office")
MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
TEXTS = {code: Words(heading=f"Heading {code}", text=f"Text {code}") for code in ("en", "de", "es")}
NOW = timezone.now()
SAVED = "Your enrollment has been saved"

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident(flag_rows: Any) -> Incident:
    return incidents.open_with_latches(
        title="Calendar: errors", flags=[CALENDAR], actor=OFFICE, cause="test"
    )


@pytest.fixture
def told(incident: Incident) -> Incident:
    publish(incident)
    return incident


def publish(incident: Incident, state: str = "investigating", **words: Any) -> None:
    updates.publish(
        incident=incident.pk,
        state=state,
        actor=OFFICE,
        now=timezone.now(),
        texts=words.get("texts", TEXTS),
    )
    board.refresh()


def banner(**fields: Any) -> Banner:
    given = {
        "texts": {"en": "A word", "de": "Ein Wort"},
        "starts_at": timezone.now() - timedelta(minutes=1),
        "ends_at": timezone.now() + timedelta(hours=1),
        "written_by_name": "office",
    }
    row = Banner.objects.create(**given | fields)
    board.refresh()
    return row


def maintenance(**fields: Any) -> Maintenance:
    now = timezone.now()
    given = {
        "headings": {"en": "Planned maintenance"},
        "texts": {"en": "We work on it"},
        "components": ["school"],
        "announced_from": now - timedelta(hours=1),
        "starts_at": now + timedelta(hours=1),
        "ends_at": now + timedelta(hours=2),
        "planned_by_name": "office",
    }
    row = Maintenance.objects.create(**given | fields)
    board.refresh()
    return row


@contextmanager
def asked_of_the_database() -> Iterator[list[str]]:
    seen: list[str] = []

    def count(run: Any, sql: str, *more: Any) -> Any:
        seen.append(sql)
        return run(sql, *more)

    with connection.execute_wrapper(count):
        yield seen


def above(client: Client, path: str = "/", **headers: Any) -> str:
    """What stands above the page; "" where nothing does."""
    page = client.get(path, headers=headers or None).content.decode()
    found = re.search(r'<aside id="site-notices".*?</aside>', page, re.DOTALL)
    return found.group() if found else ""


# ------------------------------------------------------------ which


def notice(**fields: Any) -> Notice:
    given: dict[str, Any] = {"version": "b1-0", "level": Level.INFO, "texts": {}, "headings": {}}
    return Notice(**given | fields)


def which(*found: Notice, **asked: Any) -> list[str]:
    given: dict[str, Any] = {"now": NOW, "is_user": False, "is_staff": False, "closed": ()}
    return [one.version for one in shown(found, **given | asked)]


def test_the_level_is_the_severitys() -> None:
    assert [level_of(number) for number in (1, 2, 3, 4)] == ["danger", "warning", "info", "info"]


def test_from_its_beginning_until_just_before_its_end() -> None:
    one = notice(starts_at=NOW, ends_at=NOW + timedelta(hours=1))
    for minutes, is_on in ((-1, False), (0, True), (59, True), (60, False)):
        assert one.is_on(NOW + timedelta(minutes=minutes)) is is_on


def test_the_worst_stands_first_and_each_audience_sees_its_own() -> None:
    rows = (
        notice(version="b1-0", audience=Audience.STAFF),
        notice(version="b2-0", audience=Audience.USERS),
        notice(version="i3-0", level=Level.DANGER),
    )
    assert which(*rows) == ["i3-0"]
    assert which(*rows, is_user=True) == ["i3-0", "b2-0"]
    assert which(*rows, is_user=True, is_staff=True) == ["i3-0", "b1-0", "b2-0"]


def test_closed_is_closed_but_for_what_cannot_be() -> None:
    rows = (notice(version="b1-0"), notice(version="b2-0", is_dismissible=False))
    assert which(*rows, closed=["b1-0", "b2-0"]) == ["b2-0"]


def test_rather_another_language_than_nothing() -> None:
    assert in_language({"en": "a", "de": "b"}, language="de", otherwise="en") == "b"
    assert in_language({"en": "a"}, language="de", otherwise="en") == "a"
    assert in_language({"fr": "c"}, language="de", otherwise="en") == "c"
    assert in_language({}, language="de", otherwise="en") == ""


# ------------------------------------------------------------ what is read


def test_the_newest_word_of_what_is_open(told: Incident, admin: User) -> None:
    [one] = board.notices()
    assert (one.level, one.texts["de"], one.flags) == ("warning", "Text de", (CALENDAR,))
    publish(told, "identified", texts={**TEXTS, "de": Words(heading="Neu", text="Neues")})
    [two] = board.notices()
    assert two.texts["de"] == "Neues"
    assert two.version != one.version
    incidents.resolve(incident=told.pk, actor=actor_of(admin), reason="mended")
    publish(told, "resolved")
    assert board.notices() == ()


def test_an_incident_of_which_nobody_was_told_stands_nowhere(incident: Incident) -> None:
    board.refresh()
    assert board.notices() == ()


def test_planned_work_from_its_announcement_to_its_end() -> None:
    row = maintenance()
    assert [one.texts["en"] for one in board.notices()] == ["We work on it"]
    row.cancelled_at = timezone.now()
    row.save()
    board.refresh()
    assert board.notices() == ()
    hour = timedelta(hours=1)
    maintenance(announced_from=timezone.now() + hour)  # not announced yet
    now = timezone.now()
    maintenance(announced_from=now - 3 * hour, starts_at=now - 2 * hour, ends_at=now - hour)
    assert board.notices() == ()


def test_what_is_changed_is_another_one() -> None:
    row = banner()
    [one] = board.notices()
    board.refresh()
    assert board.notices() == (one,)
    row.texts = {"en": "Another word"}
    row.save()
    board.refresh()
    [two] = board.notices()
    assert one.version.split("-")[0] == two.version.split("-")[0]
    assert one.version != two.version


def test_reading_is_one_statement(told: Incident) -> None:
    banner()
    maintenance()
    with asked_of_the_database() as seen:
        board.refresh()
    assert len([sql for sql in seen if "rollback_banner" in sql]) == 1
    assert len([sql for sql in seen if "FROM rollback" in sql]) == 1
    assert len(board.notices()) == 3


def test_while_it_cannot_be_read_what_was_read_stands(told: Incident) -> None:
    before = board.notices()
    assert before

    def away(*_asked: Any) -> Any:
        from django.db import OperationalError

        raise OperationalError("away")

    with connection.execute_wrapper(away):
        board.refresh()
    assert board.notices() == before


# ------------------------------------------------------------ on the pages


def test_no_page_asks_the_database_for_it(told: Incident, client: Client, student: Student) -> None:
    client.force_login(student.user)

    def asked() -> list[str]:
        with asked_of_the_database() as seen:
            assert client.get("/my/courses/").status_code == 200
        return seen

    asked()
    with_it = asked()
    assert above(client)
    board.clear()
    assert above(client) == ""
    assert asked() == with_it


def test_in_the_language_of_the_page(told: Incident, client: Client) -> None:
    assert "Heading en" in above(client)
    german = above(client, **{"accept-language": "de"})
    assert "Heading de" in german
    assert "Text de" in german
    assert "Heading en" not in german


def test_what_was_written_is_text_and_no_markup(incident: Incident, client: Client) -> None:
    evil = Words(heading="<b>bold</b>", text="<script>alert(1)</script>\nsecond line")
    publish(incident, texts=dict.fromkeys(("en", "de", "es"), evil))
    found = above(client)
    assert "<script>alert" not in found
    assert "&lt;b&gt;bold" in found
    assert "<br>second line" in found


def test_only_who_has_lost_something_reads_the_personal_sentence(
    told: Incident, client: Client, student: Student, course: Course, switches: Switches
) -> None:
    assert SAVED not in above(client), "nobody in particular has lost anything"
    client.force_login(student.user)
    assert SAVED not in above(client), "the feature is on for them"
    switches.kill(CALENDAR)
    found = above(client)
    assert SAVED not in found, "there is nothing that was saved"
    assert "on the usual pages" in found
    assert 'href="/home/"' in found
    now = timezone.now()
    EnrollmentDraft.objects.create(
        student=student, course=course, answers={"note": "x"}, saved_at=now, started_at=now
    )
    found = above(client)
    assert SAVED in found
    assert 'href="/drafts/"' in found


def test_a_part_of_the_users_is_concerned(
    told: Incident, client: Client, switches: Switches, db: Any
) -> None:
    from tests.conftest import make_student

    switches.share(50, CALENDAR)
    seen = set()
    for number in range(12):
        user = make_student(f"s{number}@school.example").user
        client.force_login(user)
        concerned = "on the usual pages" in above(client)
        assert concerned is not switchboard.is_on(CALENDAR, user)
        seen.add(concerned)
    assert seen == {True, False}


def test_staff_read_it_in_the_office_and_on_no_page_before_it(
    told: Incident, client: Client, staff: User, switches: Switches
) -> None:
    switches.kill(CALENDAR)
    banner(audience="staff", texts={"en": "For us"})
    assert above(client, "/admin/login/") == ""
    client.force_login(staff)
    found = above(client, "/admin/")
    assert "Heading en" in found
    assert "For us" in found
    assert "on the usual pages" not in found
    client.logout()
    assert "For us" not in above(client)


def test_a_fragment_has_none(told: Incident, client: Client, student: Student) -> None:
    client.force_login(student.user)
    whole = client.get("/calendar/").content.decode()
    assert "site-notices" in whole
    part = client.get("/calendar/", headers={"HX-Request": "true"}).content.decode()
    assert part
    assert "site-notices" not in part


def test_the_page_without_a_database_shows_what_was_read(
    told: Incident, rf: RequestFactory, switches: Switches
) -> None:
    switches.kill(CALENDAR)
    banner(audience="users", texts={"en": "For users"})

    def refused(*_asked: Any) -> Any:
        raise AssertionError("it asks the database")

    with connection.execute_wrapper(refused):
        page = lost._page(rf.get("/my/courses/")).content.decode()
    assert "Heading en" in page
    assert "For users" not in page, "nobody knows who it is"
    assert "/notices/close/" not in page
    assert SAVED not in page


def test_no_more_than_three_and_the_worst_of_them(
    told: Incident, client: Client, flag_rows: Any
) -> None:
    for number in range(4):
        banner(texts={"en": f"Word {number}"})
    found = above(client)
    assert len(re.findall("data-notice", found)) == 3
    assert "Heading en" in found


def test_heard_when_it_is_looked_for_and_not_on_each_page(told: Incident, client: Client) -> None:
    found = above(client)
    assert 'aria-label="Announcements"' in found
    assert not re.search(r"role=.(status|alert)|aria-live", found)
    assert "Attention:" in found, "the level in words, for whoever sees no colors"


# ------------------------------------------------------------ closed


def versions(client: Client) -> list[str]:
    return re.findall(r'data-notice="([^"]+)"', above(client))


def close(client: Client, version: str, **fields: str) -> Any:
    return client.post("/notices/close/", {"notice": version, "next": "/?page=1", **fields})


def test_closed_it_stays_away_until_there_is_something_new(told: Incident, client: Client) -> None:
    [version] = versions(client)
    answer = close(client, version)
    assert (answer.status_code, answer["Location"]) == (303, "/?page=1")
    cookie = answer.cookies[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert versions(client) == []
    publish(told, "identified")
    assert versions(client) != []


def test_closing_one_leaves_the_others(told: Incident, client: Client) -> None:
    banner()
    [one, two] = versions(client)
    close(client, one)
    assert versions(client) == [two]
    close(client, two)
    assert versions(client) == []


def test_the_form_in_it_is_all_that_is_needed(told: Incident) -> None:
    client = Client(enforce_csrf_checks=True)
    found = above(client, "/?page=1")
    fields = dict(re.findall(r'name="([^"]+)"\s+value="([^"]*)"', found))
    assert client.post("/notices/close/", {**fields, "csrfmiddlewaretoken": ""}).status_code == 403
    answer = client.post("/notices/close/", fields)
    assert answer["Location"] == "/?page=1"
    assert above(client) == ""


@pytest.mark.parametrize(
    "address", ["//evil.example/", "https://evil.example/", "javascript:1", ""]
)
def test_it_leads_to_no_other_school(client: Client, address: str) -> None:
    assert close(client, "i1-1", next=address)["Location"] == "/"


@pytest.mark.parametrize("version", ["", "x", "i1-1.b2-2", "i1-1; Path=/", "i1-" + "0" * 99])
def test_what_is_no_notice_is_not_remembered(client: Client, version: str) -> None:
    answer = close(client, version)
    assert answer.status_code == 303
    assert COOKIE not in answer.cookies


def test_the_cookie_does_not_grow_and_is_not_believed(told: Incident, client: Client) -> None:
    for number in range(MOST + 5):
        close(client, f"b{number}-0")
    kept = client.cookies[COOKIE].value.split(".")
    assert kept == [f"b{number}-0" for number in range(5, MOST + 5)]
    client.cookies[COOKIE] = "\"'<script>..." + "x" * 5000
    assert versions(client) != []


def test_what_cannot_be_closed_has_no_button(client: Client) -> None:
    banner(is_dismissible=False)
    [version] = versions(client)
    assert "<form" not in above(client)
    close(client, version)
    assert versions(client) == [version]


# ------------------------------------------------------------ every process


@pytest.mark.django_db(transaction=True)
def test_the_switchboards_thread_reads_it(
    real_switchboard: switchboard.Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "EVERY", 0.05)
    monkeypatch.setattr(switchboard, "POLL", 0.05)
    assert board.notices() == ()
    row = Banner.objects.create(
        texts={"en": "From another process"},
        starts_at=timezone.now() - timedelta(minutes=1),
        ends_at=timezone.now() + timedelta(hours=1),
        written_by_name="office",
    )
    assert eventually(lambda: bool(board.notices()), within=10)
    assert [one.texts["en"] for one in board.notices()] == ["From another process"]
    # Whoever holds its table holds neither the flags nor what was read.
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE rollback_banner")
        before = real_switchboard._known.asked_at
        assert eventually(lambda: board.board._is_lost, within=10)
        assert eventually(lambda: real_switchboard._known.asked_at > before, within=10)
        assert real_switchboard.is_fresh()
        assert board.notices()
        cursor.execute("ROLLBACK")
    row.delete()
    assert eventually(lambda: not board.notices(), within=10)


def test_a_row_that_cannot_be_read_as_one_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the thread calls: the flags' reading must go on whatever becomes of a banner."""

    class Reading:
        def transaction(self) -> Any:
            from contextlib import nullcontext

            return nullcontext()

        def execute(self, sql: str) -> "Reading":
            return self

        def fetchone(self) -> tuple[str]:
            return (json.dumps({"banners": [{"id": 1}]}),)

    board.board.look(Reading())  # type: ignore[arg-type]
    assert board.notices() == ()
