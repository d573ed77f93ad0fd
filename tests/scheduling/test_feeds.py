"""The secret address that calendar programs read: whose it is, what is in it, and when it says no."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from enrollment.api import throttling
from enrollment.models import Course, Enrollment, Lesson, LessonChange, Student, Teacher, User
from enrollment.operations.lessons import move_lesson, plan_lesson
from enrollment.operations.moving import put_elsewhere
from holidays.models import Holiday
from rollback import switchboard
from rollback.doors import counting
from scheduling import sockets
from scheduling.domain.closures import Named
from scheduling.models import CalendarFeed
from scheduling.operations.feeds import MOST_FEEDS, make_feed
from scheduling.views import feed as views
from tests.conftest import Switches, make_student, make_user
from tests.enrollment.calendars import read

CALENDAR = "ENABLE_CALENDAR_DISPLAY"
PAGE = "/calendar/subscribe/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_has_asked() -> None:
    throttling.counts.clear()


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


@pytest.fixture
def lesson(enrollment: Enrollment, teacher: Teacher) -> Lesson:
    return plan(enrollment, teacher, days=3)


def plan(enrollment: Enrollment, teacher: Teacher, *, days: float) -> Lesson:
    now = timezone.now().replace(microsecond=0)
    start = now + timedelta(days=days)
    return plan_lesson(enrollment=enrollment, teacher=teacher, starts_at=start, now=now)


def address_of(user: User, language: str = "en") -> str:
    token = make_feed(user=user, name="", language=language, now=timezone.now())[1]
    return reverse("calendar:feed", args=[token])


def fetch(address: str, **headers: str) -> HttpResponse:
    answer: Any = Client(headers=headers).get(address)
    return answer  # type: ignore[no-any-return]


def events(address: str) -> dict[str, Any]:
    answer = fetch(address)
    assert answer.status_code == 200
    return {str(event["UID"]): event for event in read(answer.content).events}


# ---------------------------------------------------------------- the page


def test_an_address_is_made_shown_once_read_and_revoked(
    client: Client, student: Student, lesson: Lesson
) -> None:
    client.force_login(student.user)
    page = client.post(PAGE, {"name": "my phone"})
    address = page.context["address"]
    shown = page.content.decode()
    assert f'value="{address}"' in shown
    assert "webcal://" in shown
    assert "no-store" in page.headers["Cache-Control"]
    assert address not in client.get(PAGE).content.decode()
    row = CalendarFeed.objects.get()
    token = address.rpartition("/")[2].removesuffix(".ics")
    assert len(token) == 43  # 32 bytes
    assert token not in str(row.__dict__)
    assert row.last_read_on is None

    path = address.removeprefix("http://localhost:8000")
    assert list(events(path)) == [f"lesson-{lesson.pk}@localhost"]
    row.refresh_from_db()
    assert row.last_read_on == timezone.now().date()

    gone = client.post(reverse("calendar:revoke_feed", args=[row.pk]))
    assert gone.headers["Location"] == PAGE
    assert fetch(path).status_code == 404
    assert "Revoked" in client.get(PAGE).content.decode()


def test_ten_live_addresses_are_enough_and_a_long_name_is_told(
    client: Client, student: Student
) -> None:
    client.force_login(student.user)
    refused = client.post(PAGE, {"name": "x" * 61})
    assert refused.status_code == 422
    assert "60" in refused.content.decode()
    assert "x" * 61 in refused.content.decode()
    for _n in range(MOST_FEEDS):
        address_of(student.user)
    page = client.post(PAGE, {"name": "one more"})
    assert (page.status_code, CalendarFeed.objects.count()) == (422, MOST_FEEDS)
    assert "You have 10 addresses already" in page.content.decode()
    assert "one more" in page.content.decode()


def test_nobody_sees_or_revokes_another_ones(client: Client, student: Student) -> None:
    make_feed(user=student.user, name="theirs", language="en", now=timezone.now())
    client.force_login(make_student("other@school.example").user)
    row = CalendarFeed.objects.get()
    assert client.post(reverse("calendar:revoke_feed", args=[row.pk])).status_code == 404
    assert "theirs" not in client.get(PAGE).content.decode()


# ---------------------------------------------------------------- what is in it


def test_each_has_their_own_lessons_moved_and_cancelled_ones_too(
    enrollment: Enrollment, lesson: Lesson, student: Student, teacher: Teacher
) -> None:
    taken, given = address_of(student.user), address_of(teacher.user)
    uid = f"lesson-{lesson.pk}@localhost"
    assert str(events(taken)[uid]["SUMMARY"]) == "Violin for beginners – Marta Rossi"
    assert str(events(given)[uid]["SUMMARY"]) == "Violin for beginners – Ada Vogel"
    assert events(address_of(make_student("other@school.example").user)) == {}
    later = lesson.starts_at + timedelta(days=1)
    put_elsewhere(lesson=lesson, teacher=teacher, starts_at=later, by=None, now=timezone.now())
    moved = events(taken)[uid]
    assert (moved["SEQUENCE"], moved.decoded("DTSTART")) == (1, later)
    assert moved.decoded("DTSTAMP") == moved.decoded("LAST-MODIFIED")
    move_lesson(lesson=lesson, status="cancelled", now=timezone.now())
    for address in (taken, given):
        assert (events(address)[uid]["STATUS"], events(address)[uid]["SEQUENCE"]) == (
            "CANCELLED",
            2,
        )


def test_ninety_days_back_a_year_ahead_and_no_holds(
    enrollment: Enrollment, teacher: Teacher, student: Student
) -> None:
    address = address_of(student.user)
    old, past, far, beyond, held, fresh, stale = (
        plan(enrollment, teacher, days=days) for days in (-91, -89, 365, 367, 5, 6, 7)
    )
    now = timezone.now()
    Lesson.objects.filter(pk=held.pk).update(status="held", expires_at=now + timedelta(hours=1))
    move_lesson(lesson=fresh, status="cancelled", now=now - timedelta(days=89))
    move_lesson(lesson=stale, status="cancelled", now=now - timedelta(days=91))
    LessonChange.objects.filter(lesson=stale).update(at=now - timedelta(days=91))
    assert list(events(address)) == [f"lesson-{one.pk}@localhost" for one in (past, fresh, far)]
    assert old.pk
    assert beyond.pk


def test_who_takes_and_gives_lessons_has_all_of_them(
    enrollment: Enrollment, lesson: Lesson, teacher: Teacher
) -> None:
    also = Student.objects.create(user=teacher.user, zone="Asia/Kolkata")
    own = Enrollment.objects.create(student=also, course=enrollment.course)
    taken = plan(own, Teacher.objects.create(user=make_user("b@x.example"), zone="UTC"), days=4)
    found = events(address_of(teacher.user))
    assert set(found) == {f"lesson-{one.pk}@localhost" for one in (lesson, taken)}


def test_it_speaks_the_language_it_was_made_in(
    client: Client, student: Student, lesson: Lesson
) -> None:
    client.force_login(student.user)
    client.post(PAGE, headers={"Accept-Language": "de"})
    assert CalendarFeed.objects.get().language == "de"


def test_closed_days_are_in_it_and_take_no_time(
    student: Student, teacher: Teacher, lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = date(2026, 12, 24)
    asked: dict[str, Any] = {}
    half = Named(day, day + timedelta(days=1), "Short days", starts=12 * 3600, ends=24 * 3600)
    named = [
        Named(day, day + timedelta(days=2), "Holidays", "Merry; quiet, all"),
        Named(day, day + timedelta(days=2), "Holidays", "Merry; quiet, all"),
        half,
        Named(day + timedelta(days=3), day + timedelta(days=3), "Swapped", works_like=0),
    ]

    def closures(**question: Any) -> list[Named]:
        asked.update(question)
        return named

    monkeypatch.setattr(sockets, "named_closures", closures)
    Student.objects.update(zone="Asia/Kolkata")
    address = address_of(student.user)
    found = [one for uid, one in events(address).items() if uid.startswith("closure-")]
    assert asked["teachers"] == {teacher.pk}
    assert asked["courses"] == {lesson.course_id}
    assert asked["last"] - asked["first"] == timedelta(days=90 + 366)
    assert [str(one["SUMMARY"]) for one in found] == [
        "Holidays",
        "Short days",
        "Short days",
        "Swapped (hours as on a Monday)",
    ]
    assert {str(one["TRANSP"]) for one in found} == {"TRANSPARENT"}
    whole, first, second, _swapped = found
    assert (whole.decoded("DTSTART"), whole.decoded("DTEND")) == (day, day + timedelta(days=3))
    assert str(whole["DESCRIPTION"]) == "Merry; quiet, all"
    # On the teacher's clock, told on the student's.
    assert first.decoded("DTSTART") == datetime(2026, 12, 24, 11, tzinfo=UTC)
    assert first["DTSTART"].params["TZID"] == "Asia/Kolkata"
    assert second.decoded("DTEND") == datetime(2026, 12, 25, 23, tzinfo=UTC)
    assert set(events(address)) == set(events(address))


@pytest.mark.parametrize("starts", [None, 18 * 3600])
def test_a_closure_without_end_costs_no_more_than_what_is_shown(
    student: Student, monkeypatch: pytest.MonkeyPatch, starts: int | None
) -> None:
    ends = 24 * 3600 if starts else None
    endless = Named(date(2020, 1, 1), date.max, "Typo", starts=starts, ends=ends)
    monkeypatch.setattr(sockets, "named_closures", lambda **_q: [endless])
    found = [uid for uid in events(address_of(student.user)) if uid.startswith("closure-")]
    assert len(found) == (90 + 366 + 1 if starts else 1)


def test_the_schools_own_closures_in_the_feeds_language(student: Student, teacher: Teacher) -> None:
    day = (timezone.now() + timedelta(days=20)).date()
    parts: tuple[tuple[str, dict[str, Any]], ...] = (
        ("school", {}),
        ("teachers", {"starts": time(12)}),
    )
    for scope, hours in parts:
        named: dict[str, Any] = {"name": f"Snow {scope}", "names": {"de": f"Schnee {scope}"}}
        Holiday.objects.create(**named, first_on=day, last_on=day, scope=scope, **hours)
    # Nobody's: the teacher has nothing to do with this student.
    Holiday.objects.get(scope="teachers").teachers.add(teacher)
    [only] = events(address_of(student.user, "de")).values()
    assert (str(only["SUMMARY"]), only.decoded("DTSTART")) == ("Schnee school", day)
    _whole, part = events(address_of(teacher.user)).values()
    assert str(part["SUMMARY"]) == "Snow teachers"
    assert part.decoded("DTSTART").hour == 12
    assert part.decoded("DTEND").date() == day + timedelta(days=1)


# ---------------------------------------------------------------- how it is asked


def test_six_queries_whatever_the_number_of_lessons(
    enrollment: Enrollment, teacher: Teacher, student: Student
) -> None:
    Holiday.objects.create(name="Snow", first_on=timezone.localdate(), last_on=timezone.localdate())
    for who in (student.user, teacher.user):
        address, counts = address_of(who), []
        for _more in range(2):
            plan(enrollment, teacher, days=10 + Lesson.objects.count())
            CalendarFeed.objects.update(last_read_on=None)
            with CaptureQueriesContext(connection) as queries:
                fetch(address)
            # The gate asks in a savepoint.
            asked = [one["sql"] for one in queries if "SAVEPOINT" not in one["sql"]]
            counts.append(len(asked))
        assert counts[0] == counts[1] <= 6


def test_nothing_new_is_304_and_the_moment_of_writing_is_nothing_new(
    student: Student, lesson: Lesson, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sockets, "named_closures", lambda **_q: [Named(date(2026, 1, 1), date(2026, 1, 1), "New")]
    )
    address = address_of(student.user)
    first = fetch(address)
    assert first.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert first.headers["Cache-Control"] == "private, no-cache"
    monkeypatch.setattr(timezone, "now", later(seconds=90))
    again = fetch(address)
    # A closed day has no last change: it is stamped when it is written.
    assert again.content != first.content
    assert again.headers["ETag"] == first.headers["ETag"]
    same = fetch(address, **{"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["ETag"] == first.headers["ETag"]
    head = Client().head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["ETag"] == first.headers["ETag"]
    move_lesson(lesson=lesson, status="cancelled", now=timezone.now())
    changed = fetch(address, **{"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


def later(**more: float) -> Any:
    now = timezone.now() + timedelta(**more)
    return lambda: now


def test_no_cookie_no_session_and_no_other_method(student: Student) -> None:
    client, address = Client(enforce_csrf_checks=True), address_of(student.user)
    for path in (address, reverse("calendar:feed", args=["unknown"])):
        answer = client.get(path)
        assert not answer.cookies
        assert "Cookie" not in answer.headers.get("Vary", "")
        assert client.post(path).status_code in (403, 405)


def test_unknown_revoked_and_of_people_who_are_gone_are_all_alike(
    student: Student, caplog: pytest.LogCaptureFixture
) -> None:
    addresses = [address_of(student.user), reverse("calendar:feed", args=["a" * 43])]
    CalendarFeed.objects.update(revoked_at=timezone.now())
    for state in ({"is_active": False}, {"deleted_at": timezone.now()}):
        person = make_student(f"{len(addresses)}@school.example")
        addresses.append(address_of(person.user))
        User.objects.filter(pk=person.user.pk).update(**state)
    answers = []
    for address in addresses:
        with CaptureQueriesContext(connection) as queries:
            answer = fetch(address)
        said = (answer.status_code, answer.content, answer.headers["Cache-Control"])
        answers.append((*said, len(queries)))
    assert len(set(answers)) == 1
    assert answers[0][0] == 404
    # The address is a key; that it was asked for is in our log, and not what it was.
    assert "/calendar/feed/….ics" in caplog.text
    assert not [address for address in addresses if address in caplog.text]


def test_who_reads_too_often_waits(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST_READINGS", 40)
    for address, first in ((address_of(student.user), 200), ("/calendar/feed/guess.ics", 404)):
        statuses = [fetch(address).status_code for _again in range(41)]
        assert statuses == [first] * 40 + [429]
    answer = fetch(address)
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    # Guesses are counted by where they come from, and keep nobody from their own.
    assert fetch(address_of(student.user)).status_code == 200


# ---------------------------------------------------------------- at the door


def test_the_door_knows_whose_calendar_it_is(switches: Switches) -> None:
    """At 50 %: an address gets its owner's answer every time, whoever is logged in where it is opened."""
    switches.share(50)
    seen = set()
    for n in range(16):
        student = make_student(f"s{n}@school.example")
        address, browser = address_of(student.user), Client()
        browser.force_login(student.user)
        answers = {fetch(address).status_code for _again in range(2)}
        answers.add(browser.get(address).status_code)
        assert answers == {200 if switchboard.is_on(CALENDAR, student.user) else 503}
        seen |= answers
    assert seen == {200, 503}
    assert fetch(reverse("calendar:feed", args=["unknown"])).status_code == 404


@pytest.mark.parametrize("flag", [CALENDAR, "ENABLE_TEACHER_SCHEDULING"])
def test_off_is_503_in_plain_words_and_asks_no_table(
    student: Student, switches: Switches, flag: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that subscribes then keeps what it has; the tables may be gone by then."""
    address = address_of(student.user)
    switches.kill(flag)
    with CaptureQueriesContext(connection) as queries:
        answer = fetch(address)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "300")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "switched off" in answer.content.decode()
    assert not answer.cookies
    assert not queries.captured_queries
    assert "/calendar/feed/….ics" in caplog.text
    assert address not in caplog.text
    assert [feature for feature, door, _day in counting._counts if door == "api"] == [CALENDAR]


# ---------------------------------------------------------------- the office


def test_the_office_sees_and_revokes_but_never_the_address(
    client: Client, staff: User, student: Student
) -> None:
    make_feed(user=student.user, name="lost phone", language="en", now=timezone.now())
    row = CalendarFeed.objects.get()
    client.force_login(staff)
    changelist = reverse("admin:scheduling_calendarfeed_changelist")
    pages = client.get(changelist).content + client.get(f"{changelist}{row.pk}/change/").content
    assert b"lost phone" in pages
    assert row.digest.encode() not in pages
    client.post(changelist, {"action": "revoke_selected", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.revoked_at is not None
