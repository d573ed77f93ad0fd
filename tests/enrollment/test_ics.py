"""Lessons in calendar files: written by the standard, on the reader's clock, and read back."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as some

from enrollment.domain.ics import CANCEL, PUBLISH, Event, as_feed, as_file, google_url, outlook_url
from enrollment.domain.vtimezones import as_timezone
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from enrollment.operations.lessons import move_lesson, plan_lesson
from enrollment.operations.moving import put_elsewhere
from enrollment.queries.ics import event_of, with_history
from tests.conftest import make_student, make_teacher
from tests.enrollment.calendars import offset_at, read

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
SCHOOL = '"Riverside, School" <office@school.example>'


def event(zone: str = "Europe/Berlin", at: datetime = NOW, **more: Any) -> Event:
    start = at.astimezone(ZoneInfo(zone))
    end = (at + timedelta(minutes=45)).astimezone(ZoneInfo(zone))
    values: dict[str, Any] = {
        "uid": "lesson-1@school.example",
        "summary": "Violin",
        "starts": start,
        "ends": end,
    }
    return Event(**values | more)


def feed(*events: Event) -> bytes:
    return as_feed(events, name="Lessons", zone="Europe/Berlin", now=NOW)


# ---------------------------------------------------------------- zones

ZONES = (
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Santiago",
    "America/Vancouver",
    "Africa/Casablanca",
    "Asia/Jerusalem",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
)


@pytest.mark.parametrize("zone", ZONES)
def test_a_zone_says_what_zoneinfo_says_to_the_second(zone: str) -> None:
    written, known = as_timezone(zone, 2026), ZoneInfo(zone)
    at, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    moments = []
    while at < end:
        after = at + timedelta(days=5)
        if at.astimezone(known).utcoffset() != after.astimezone(known).utcoffset():
            # Through the hours around a change, one by one.
            moments += [at + timedelta(minutes=30 * half - 1) for half in range(5 * 48)]
        moments.append(at)
        at = after
    wrong = [one for one in moments if offset_at(written, one) != one.astimezone(known).utcoffset()]
    assert wrong == []


def test_a_change_by_rule_is_written_as_its_rule() -> None:
    """Outlook reads no list of dates; and its beginning is on the clock that ends there."""
    text = as_timezone("Europe/Berlin", 2026).to_ical().decode()
    assert text.count("RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=") == 2
    assert "DTSTART:20240331T020000" in text
    assert "DTSTART:20241027T030000" in text
    assert "BYDAY=2SU;BYMONTH=3" in as_timezone("America/New_York", 2026).to_ical().decode()


def test_one_zone_for_all_that_use_it_and_none_for_utc() -> None:
    events = [event("Asia/Kolkata", uid="1"), event("Asia/Kolkata", uid="2"), event("UTC", uid="3")]
    calendar = read(feed(*events, event("Etc/GMT+5", uid="4")))
    assert [str(zone["TZID"]) for zone in calendar.timezones] == ["Asia/Kolkata", "Etc/GMT+5"]
    assert b"DTSTART:20261001T120000Z" in feed(events[2])


def test_the_second_of_two_equal_hours_is_not_taken_for_the_first() -> None:
    first, second = (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    )
    for at in (first, second):
        (back,) = read(feed(event(at=at))).events
        assert back.decoded("DTSTART").astimezone(UTC) == at
        assert back.decoded("DTEND").astimezone(UTC) == at + timedelta(minutes=45)


# ---------------------------------------------------------------- texts


@given(text=some.text(min_size=1, max_size=200), days=some.integers(0, 900))
def test_any_text_comes_back_as_it_was(text: str, days: int) -> None:
    whole: dict[str, Any] = {
        "starts": date(2026, 1, 1),
        "ends": date(2026, 1, 1) + timedelta(days=days + 1),
    }
    (back,) = read(feed(event(summary=f"x{text}x", description="a;b,c\\n\nd", **whole))).events
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    plain = "".join(
        " " if (one < " " and one not in "\t\n") or one == "\x7f" else one for one in lines
    )
    assert str(back["SUMMARY"]).replace("\r", "\n") == f"x{plain}x"
    assert str(back["DESCRIPTION"]) == "a;b,c\\n\nd"
    assert back.decoded("DTEND") == whole["ends"]


def test_what_is_cancelled_takes_no_time_and_a_file_says_who_sends_it() -> None:
    calendar = read(as_file([event(cancelled=True)], method=CANCEL, organizer=SCHOOL, now=NOW))
    (back,) = calendar.events
    assert calendar["METHOD"] == "CANCEL"
    assert (back["STATUS"], back["TRANSP"]) == ("CANCELLED", "TRANSPARENT")
    assert back["ORGANIZER"] == "mailto:office@school.example"
    assert back["ORGANIZER"].params["CN"] == "Riverside, School"
    (stays,) = read(as_file([event()], method=PUBLISH, organizer=SCHOOL, now=NOW)).events
    assert (stays["STATUS"], stays["TRANSP"]) == ("CONFIRMED", "OPAQUE")


def test_links_to_the_web_say_the_instant() -> None:
    one = event("Asia/Kolkata", summary="Violin & more")
    assert "dates=20261001T120000Z%2F20261001T124500Z" in google_url(one)
    assert "startdt=2026-10-01T12%3A00%3A00Z" in outlook_url(one)
    assert "text=Violin+%26+more" in google_url(one)


# ---------------------------------------------------------------- lessons


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


@pytest.fixture
def lesson(enrollment: Enrollment, teacher: Teacher) -> Lesson:
    start = timezone.now().replace(microsecond=0) + timedelta(days=3)
    return plan_lesson(enrollment=enrollment, teacher=teacher, starts_at=start, now=timezone.now())


def as_event(lesson: Lesson, *, teaches: bool = False) -> Event:
    return event_of(with_history(Lesson.objects.all()).get(pk=lesson.pk), teaches=teaches)


def test_each_move_a_substitute_and_a_cancellation_raise_the_sequence(
    lesson: Lesson, teacher: Teacher, settings: Any
) -> None:
    settings.SITE_URL = "https://school.example:8443"
    now, seen = timezone.now(), [as_event(lesson)]
    other = make_teacher("sub@school.example")
    for number, (who, hours) in enumerate(((teacher, 2), (other, 2), (teacher, 0)), start=1):
        known = Lesson.objects.get(pk=lesson.pk)
        put_elsewhere(
            lesson=known,
            teacher=who,
            starts_at=lesson.starts_at + timedelta(hours=hours),
            by=None,
            now=now + timedelta(minutes=number),
        )
        seen.append(as_event(lesson))
    move_lesson(lesson=known, status="cancelled", now=now + timedelta(minutes=9))
    seen.append(as_event(lesson))
    assert [one.sequence for one in seen] == [0, 1, 2, 3, 4]
    assert {one.uid for one in seen} == {f"lesson-{lesson.pk}@school.example"}
    assert seen[-1].cancelled
    assert seen[-1].summary == "Cancelled: Violin for beginners – Marta Rossi"
    assert [one.changed_at for one in seen] == sorted(
        one.changed_at for one in seen if one.changed_at
    )
    assert seen[1].starts == seen[0].starts + timedelta(hours=2)


def test_cancelled_by_a_file_that_writes_no_history_rises_too(lesson: Lesson) -> None:
    Lesson.objects.update(status="cancelled")
    assert as_event(lesson).sequence == 1


def test_each_reads_it_on_their_own_clock_with_the_others_name(
    enrollment: Enrollment, lesson: Lesson
) -> None:
    Student.objects.update(zone="Asia/Kolkata")
    theirs, given = as_event(lesson), as_event(lesson, teaches=True)
    assert (theirs.summary, given.summary) == (
        "Violin for beginners – Marta Rossi",
        "Violin for beginners – Ada Vogel",
    )
    assert str(theirs.starts.tzinfo) == "Asia/Kolkata"  # type: ignore[attr-defined]
    assert theirs.starts == given.starts
    assert theirs.url.endswith(reverse("enrollment:enrolled", args=[enrollment.pk]))
    assert given.url.endswith(reverse("enrollment:progress", args=[enrollment.pk]))


def test_a_lesson_is_downloaded_by_its_own_people_whatever_is_off(
    client: Client, lesson: Lesson, student: Student, teacher: Teacher, switches: Any
) -> None:
    switches.kill()
    address = reverse("enrollment:lesson_file", args=[lesson.pk])
    assert client.get(address).status_code == 302
    for who, name in ((student.user, "Marta Rossi"), (teacher.user, "Ada Vogel")):
        client.force_login(who)
        answer = client.get(address)
        (back,) = read(answer.content).events
        assert name in str(back["SUMMARY"])
        assert back.decoded("DTSTART") == lesson.starts_at
        assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8; method=PUBLISH"
        assert answer.headers["Content-Disposition"].endswith(f'"lesson-{lesson.pk}.ics"')
        assert client.post(address).status_code == 405
    client.force_login(make_student("other@school.example").user)
    assert client.get(address).status_code == 404


def test_a_cancelled_one_is_taken_away_by_its_file_and_a_hold_has_none(
    client: Client, lesson: Lesson, student: Student
) -> None:
    client.force_login(student.user)
    address = reverse("enrollment:lesson_file", args=[lesson.pk])
    move_lesson(lesson=lesson, status="cancelled", now=timezone.now())
    calendar = read(client.get(address).content)
    assert calendar["METHOD"] == "CANCEL"
    Lesson.objects.update(status="held", expires_at=timezone.now() + timedelta(hours=1))
    assert client.get(address).status_code == 404


def test_pages_offer_it_and_ask_nothing_more_for_each_lesson(
    client: Client,
    enrollment: Enrollment,
    lesson: Lesson,
    teacher: Teacher,
) -> None:
    pages = (
        (enrollment.student.user, reverse("enrollment:enrolled", args=[enrollment.pk])),
        (teacher.user, reverse("enrollment:my_lessons")),
    )

    def queries(user: Any, page: str) -> int:
        client.force_login(user)
        with CaptureQueriesContext(connection) as captured:
            shown = client.get(page).content.decode()
        assert reverse("enrollment:lesson_file", args=[lesson.pk]) in shown
        assert "https://calendar.google.com/" in shown
        return len(captured)

    before = [queries(*one) for one in pages]
    for days in (1, 2, 3):
        start = lesson.starts_at + timedelta(days=days)
        plan_lesson(enrollment=enrollment, teacher=teacher, starts_at=start, now=timezone.now())
    assert [queries(*one) for one in pages] == before
