"""What a teacher says beside the weekly hours: other hours on a date, and time off."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test import Client
from django.urls import reverse

from enrollment.models import Lesson, Student, Teacher
from scheduling.models import AvailabilityException, AvailabilityRule, TimeOff
from scheduling.operations.exceptions import save_exception
from scheduling.operations.time_off import save_time_off
from tests.conftest import make_teacher
from tests.scheduling.conftest import NOW, MakeLesson
from tests.scheduling.teaching import (
    DATES,
    HOURS,
    OFF,
    a_date,
    an_absence,
    as_,
    at,
    exception,
    refused,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now", "no_closed_days")]
# NOW is Wednesday, 14 January 2026, 12:00 in Berlin.
MONDAY = datetime(2026, 1, 19, 15, 0, tzinfo=UTC)


@pytest.fixture
def as_teacher(client: Client, teacher: Teacher) -> Client:
    return as_(client, teacher)


def utc(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[arg-type, misc]


# ------------------------------------------------------------------ different hours on a date


def test_a_date_is_added_changed_and_removed(as_teacher: Client, teacher: Teacher) -> None:
    assert "Every week is as usual" in as_teacher.get(DATES).content.decode()
    added = as_teacher.post(DATES, a_date(note="A concert"), follow=True)
    assert added.redirect_chain == [(DATES, 303)]
    assert "Saved: 26 January 2026: –." in added.content.decode()
    made = AvailabilityException.objects.get()
    assert (made.teacher, made.starts, made.note) == (teacher, None, "A concert")

    change = reverse("scheduling:change_date", args=[made.pk])
    assert 'value="2026-01-26"' in as_teacher.get(change).content.decode()
    typed = a_date(kind="add", starts="20:00", ends="01:00", ends_next_day="on")
    assert as_teacher.post(change, typed).status_code == 303
    made.refresh_from_db()
    assert (made.kind, made.starts, made.ends, made.ends_next_day) == (
        *("add", at("20:00"), at("01:00")),
        True,
    )
    assert "(next day)" in as_teacher.get(DATES).content.decode()

    removed = as_teacher.post(reverse("scheduling:delete_date", args=[made.pk]), follow=True)
    assert "Lessons that are already planned stay" in removed.content.decode()
    assert not AvailabilityException.objects.exists()


@pytest.mark.parametrize(
    ("posted", "field", "sentence"),
    [
        (a_date(""), "day_on", "required"),
        (a_date("soon"), "day_on", "valid date"),
        (a_date("2026-01-13"), "day_on", "This day is over."),
        (a_date("9999-12-31"), "day_on", "No day after"),
        (a_date(kind="never"), "kind", "not one of the available choices"),
        (a_date(kind="add"), "starts", "Say which hours are added."),
        (a_date(starts="09:00"), "ends", "Give both times, or none."),
        (a_date(ends="09:00"), "starts", "Give both times, or none."),
        (a_date(ends_next_day="on"), "ends_next_day", "Without hours nothing ends."),
        (a_date(starts="12:00", ends="09:00"), "ends", "Hours end later than they begin."),
        (a_date(starts="09:00", ends="12:00", ends_next_day="on"), "ends", "24 hours at most"),
        (a_date(starts="09:00:30", ends="12:00"), "starts", "Give hours and minutes only"),
        (a_date("2026-01-27", starts="11:00", ends="13:00"), "starts", "Overlaps 27 January"),
        (a_date("2026-01-27"), "day_on", "There are other hours for this date."),
        (a_date("2026-01-28", starts="11:00", ends="13:00"), "day_on", "said to have no hours"),
        (a_date(note="x" * 201), "note", "at most 200 characters"),
    ],
)
def test_a_date_that_is_wrong(
    as_teacher: Client, teacher: Teacher, posted: dict[str, str], field: str, sentence: str
) -> None:
    exception(teacher, "2026-01-27", starts=at("10:00"), ends=at("12:00"))
    exception(teacher, "2026-01-28")
    refused(as_teacher.post(DATES, posted), field, sentence)
    other = exception(teacher, "2026-02-01")
    change = reverse("scheduling:change_date", args=[other.pk])
    page = as_teacher.post(change, posted)
    refused(page, field, sentence)
    if posted["note"]:
        assert posted["note"] in page.content.decode()
    assert AvailabilityException.objects.count() == 3


def test_today_may_still_differ_and_the_past_keeps_its_day(
    as_teacher: Client, teacher: Teacher
) -> None:
    assert as_teacher.post(DATES, a_date("2026-01-14")).status_code == 303
    past = exception(teacher, "2026-01-02")
    assert "2 January" not in as_teacher.get(DATES).content.decode()
    change = reverse("scheduling:change_date", args=[past.pk])
    assert as_teacher.post(change, a_date("2026-01-02", note="Ill")).status_code == 303
    refused(as_teacher.post(change, a_date("2026-01-03")), "day_on", "This day is over.")


def test_what_another_tab_did_meanwhile(
    as_teacher: Client, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = exception(teacher, "2026-02-01")

    def slower(*, exception: AvailabilityException, now: datetime) -> Any:
        AvailabilityException.objects.all().delete()
        AvailabilityException.objects.create(teacher=teacher, day_on=date(2026, 1, 26))
        return save_exception(exception=exception, now=now)

    monkeypatch.setattr("scheduling.views.dates.operations.save_exception", slower)
    typed = a_date(starts="09:00", ends="10:00")
    refused(as_teacher.post(DATES, typed), "day_on", "said to have no hours")
    assert (
        as_teacher.post(reverse("scheduling:change_date", args=[gone.pk]), typed).status_code == 404
    )


# ------------------------------------------------------------------ time off


def test_whole_days_by_leaving_the_times_out(as_teacher: Client, teacher: Teacher) -> None:
    assert "No time off ahead" in as_teacher.get(OFF).content.decode()
    typed = an_absence(until_on="2026-01-30", reason="At the sea")
    assert as_teacher.post(OFF, typed).status_code == 303
    made = TimeOff.objects.get()
    assert (made.starts_at, made.ends_at) == (utc(2026, 1, 25, 23), utc(2026, 1, 30, 23))
    assert "the end of Friday 30 January 2026" in as_teacher.get(OFF).content.decode()
    change = reverse("scheduling:change_time_off", args=[made.pk])
    form = as_teacher.get(change).context["form"]
    assert [form[name].value() for name in ("from_on", "from_at", "until_on", "until_at")] == [
        date(2026, 1, 26),
        None,
        date(2026, 1, 30),
        None,
    ]
    assert as_teacher.post(change, an_absence(from_at="15:30", until_at="18:00")).status_code == 303
    made.refresh_from_db()
    assert (made.starts_at, made.ends_at) == (utc(2026, 1, 26, 14, 30), utc(2026, 1, 26, 17))
    removed = as_teacher.post(reverse("scheduling:delete_time_off", args=[made.pk]), follow=True)
    assert "Your hours count again." in removed.content.decode()
    assert not TimeOff.objects.exists()


@pytest.mark.parametrize(
    ("posted", "field", "sentence"),
    [
        (an_absence(""), "from_on", "required"),
        (an_absence("31.02.2026"), "from_on", "valid date"),
        (an_absence("0001-01-01"), "from_on", "No day before"),
        (an_absence("9999-12-31"), "from_on", "No day after"),
        (an_absence(until_on="9999-12-31"), "until_on", "No day after"),
        (an_absence(from_at="late"), "from_at", "valid time"),
        (an_absence(until_on="2026-01-25"), "until_on", "It ends later than it begins."),
        (
            an_absence(from_at="10:00", until_at="10:00"),
            "until_at",
            "It ends later than it begins.",
        ),
        (an_absence(from_at="10:00", until_at="00:00"), "until_at", "leave the time empty"),
        (an_absence("2026-01-13"), "from_on", "This day is over."),
        (an_absence("2026-01-14", until_at="11:59"), "until_at", "This is over already."),
        (an_absence("2026-03-29", from_at="02:30"), "from_at", "choose 03:30 instead"),
        (
            an_absence("2026-03-28", until_on="2026-03-29", until_at="02:15"),
            *("until_at", "choose 03:15 instead"),
        ),
        (an_absence(reason="x" * 201), "reason", "at most 200 characters"),
    ],
)
def test_time_off_that_is_wrong(
    as_teacher: Client, teacher: Teacher, posted: dict[str, str], field: str, sentence: str
) -> None:
    page = as_teacher.post(OFF, posted)
    refused(page, field, sentence)
    if posted["reason"]:
        assert posted["reason"] in page.content.decode()
    known = time_off(teacher, utc(2026, 2, 1), utc(2026, 2, 3))
    change = reverse("scheduling:change_time_off", args=[known.pk])
    refused(as_teacher.post(change, posted), field, sentence)
    assert TimeOff.objects.get().period == known.period


def time_off(teacher: Teacher, starts: datetime, ends: datetime, **fields: Any) -> TimeOff:
    period = DateTimeTZRange(starts, ends)
    return TimeOff.objects.create(teacher=teacher, period=period, **fields)


def test_ill_since_this_morning(as_teacher: Client, teacher: Teacher) -> None:
    assert as_teacher.post(OFF, an_absence("2026-01-14")).status_code == 303
    made = TimeOff.objects.get()
    assert made.starts_at < NOW < made.ends_at


def test_what_began_long_ago_may_be_made_longer(as_teacher: Client, teacher: Teacher) -> None:
    known = time_off(teacher, utc(2026, 1, 4, 23), utc(2026, 1, 16, 23))
    change = reverse("scheduling:change_time_off", args=[known.pk])
    typed = an_absence("2026-01-05", until_on="2026-01-23")
    assert as_teacher.post(change, typed).status_code == 303
    known.refresh_from_db()
    assert (known.starts_at, known.ends_at) == (utc(2026, 1, 4, 23), utc(2026, 1, 23, 23))


def test_what_is_not_touched_stays_in_the_hour_that_comes_twice(
    as_teacher: Client, teacher: Teacher
) -> None:
    """02:30 of 25 October 2026 for the second time; typed anew it would be the first."""
    second = utc(2026, 10, 25, 1, 30, 15)
    known = time_off(teacher, second, utc(2026, 10, 26))
    change = reverse("scheduling:change_time_off", args=[known.pk])
    form = as_teacher.get(change).context["form"]
    assert form["from_at"].value() == at("02:30")
    typed = an_absence(
        "2026-10-25", from_at="02:30", until_on="2026-10-26", until_at="02:00", reason="New"
    )
    assert as_teacher.post(change, typed).status_code == 303
    known.refresh_from_db()
    assert (known.starts_at, known.reason) == (second, "New")


def test_where_the_clocks_leave_midnight_out(client: Client) -> None:
    """Beirut's clocks go from 00:00 to 01:00 on 29 March 2026: that day begins at 01:00."""
    teacher = make_teacher("b@school.example", zone="Asia/Beirut")
    as_(client, teacher)
    assert client.post(OFF, an_absence("2026-03-28", until_on="2026-03-28")).status_code == 303
    made = TimeOff.objects.get()
    assert (made.starts_at, made.ends_at) == (utc(2026, 3, 27, 22), utc(2026, 3, 28, 22))
    form = client.get(reverse("scheduling:change_time_off", args=[made.pk])).context["form"]
    assert (form["until_on"].value(), form["until_at"].value()) == (date(2026, 3, 28), None)


# ------------------------------------------------------------------ strangers


@pytest.mark.parametrize("kind", ["date", "time_off", "hours"])
def test_a_stranger_finds_nothing(
    client: Client, student: Student, teacher: Teacher, kind: str
) -> None:
    other = make_teacher("other@school.example")
    rows: dict[str, Callable[[], Any]] = {
        "date": lambda: exception(other, "2026-02-01"),
        "time_off": lambda: time_off(other, utc(2026, 2, 1), utc(2026, 2, 2)),
        "hours": lambda: AvailabilityRule.objects.create(
            teacher=other, weekday=0, starts=at("09:00"), ends=at("10:00")
        ),
    }
    theirs = rows[kind]()
    change, delete = (
        reverse(f"scheduling:{verb}_{kind}", args=[theirs.pk]) for verb in ("change", "delete")
    )
    nowhere = reverse(f"scheduling:change_{kind}", args=[10**30])
    as_(client, teacher)
    for response in (
        client.get(change),
        client.post(change, a_date() | an_absence()),
        client.post(delete),
        client.get(nowhere),
        client.post(reverse(f"scheduling:delete_{kind}", args=[10**30])),
    ):
        assert response.status_code == 404
    client.force_login(student.user)
    assert client.get(change).status_code == client.post(delete).status_code == 403
    assert type(theirs).objects.filter(pk=theirs.pk).exists()
    # Nobody saves for another teacher by naming one.
    as_(client, teacher)
    client.post(DATES, a_date(teacher=str(other.pk)))
    client.post(OFF, an_absence(teacher=str(other.pk)))
    assert {one.teacher for one in TimeOff.objects.exclude(teacher=other)} == {teacher}
    assert {one.teacher for one in AvailabilityException.objects.exclude(teacher=other)} == {
        teacher
    }


# ------------------------------------------------------------------ lessons in it


@pytest.fixture
def planned(monday_hours: AvailabilityRule, make_lesson: MakeLesson) -> list[Lesson]:
    """Mondays 16:00 in Berlin, five weeks."""
    weeks = (MONDAY + timedelta(weeks=week) for week in range(5))
    return [make_lesson(start, start + timedelta(minutes=45)) for start in weeks]


def test_lessons_in_time_off_are_named_and_stay(as_teacher: Client, planned: list[Lesson]) -> None:
    assert "outside your hours" not in as_teacher.get(OFF).content.decode()
    page = as_teacher.post(OFF, an_absence("2026-01-19", until_on="2026-01-26"), follow=True)
    text = page.content.decode()
    assert (
        "2 planned lessons are outside your hours now. They stay planned: Monday 19 January" in text
    )
    assert "Ada Vogel" in text
    assert [one.rows[0].pk for one in page.context["outside"]] == [planned[0].pk, planned[1].pk]
    assert "(time off)" in text
    assert {one.status for one in Lesson.objects.all()} == {"planned"}
    # What was outside before is not news.
    again = as_teacher.post(DATES, a_date("2026-01-19"), follow=True).content.decode()
    assert "outside your hours now" not in again
    assert "2 planned lessons are outside your hours" in again


def test_of_many_lessons_three_are_named(as_teacher: Client, planned: list[Lesson]) -> None:
    rule = AvailabilityRule.objects.get()
    page = as_teacher.post(reverse("scheduling:delete_hours", args=[rule.pk]), follow=True)
    told = [str(message) for message in page.context["messages"]]
    assert any("5 planned lessons" in one and one.count(";") == 2 and "…" in one for one in told)
    assert len(page.context["outside"]) == 5


def test_a_rule_that_is_changed_tells_too(
    as_teacher: Client, planned: list[Lesson], monday_hours: AvailabilityRule
) -> None:
    change = reverse("scheduling:change_hours", args=[monday_hours.pk])
    typed = {
        "weekday": "0",
        "starts": "16:30",
        "ends": "18:00",
        "every_weeks": "1",
        "valid_from": "",
        "valid_until": "",
    }
    page = as_teacher.post(change, typed, follow=True)
    assert page.redirect_chain == [(HOURS, 303)]
    assert "5 planned lessons are outside" in page.content.decode()
    refused(as_teacher.post(change, typed | {"ends": "16:00"}), "ends", "Hours end later")
    refused(
        as_teacher.post(change, typed | {"every_weeks": "2"}),
        "valid_from",
        "Say from which day on",
    )


def test_hours_that_were_over_before_they_began(
    as_teacher: Client, teacher: Teacher, monday_hours: AvailabilityRule
) -> None:
    typed = {"weekday": "2", "starts": "09:00", "ends": "10:00", "every_weeks": "1"}
    over = typed | {"valid_from": "", "valid_until": "2026-01-13"}
    refused(as_teacher.post(HOURS, over), "valid_until", "This day is over.")
    change = reverse("scheduling:change_hours", args=[monday_hours.pk])
    refused(as_teacher.post(change, over), "valid_until", "This day is over.")
    assert as_teacher.post(HOURS, over | {"valid_until": "2026-01-14"}).status_code == 303
    # What ended long ago may be put right otherwise.
    AvailabilityRule.objects.filter(pk=monday_hours.pk).update(valid_until=date(2025, 12, 31))
    kept = over | {"weekday": "0", "valid_until": "2025-12-31"}
    assert as_teacher.post(change, kept).status_code == 303


def test_the_operations_say_it_too(teacher: Teacher) -> None:
    """For programs, which see no form."""
    over = TimeOff(
        teacher=teacher, period=DateTimeTZRange(utc(2026, 1, 14, 8), utc(2026, 1, 14, 9))
    )
    with pytest.raises(ValidationError, match="over already"):
        save_time_off(time_off=over, now=NOW)
    with pytest.raises(ValidationError) as refusal:
        save_exception(
            exception=AvailabilityException(teacher=teacher, day_on=date(2026, 1, 1)), now=NOW
        )
    assert set(refusal.value.message_dict) == {"day_on"}
