"""The slot picker: a month, the times of a day, what is chosen, and why the rest is closed."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.test import Client

from enrollment.models import Course, Student, Teacher
from scheduling import sockets
from scheduling.domain import picker
from scheduling.domain.reasons import Why
from scheduling.models import AvailabilityRule, BookingPolicy
from tests.conftest import make_student
from tests.scheduling.conftest import MakeLesson, everybody_closed
from tests.scheduling.steps import CHOOSE, FIRST, SECOND, choose, slots_on

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("now", "monday_hours", "no_closed_days"),
]
PART = {"HX-Request": "true"}
LATER = "2026-01-26T15:00:00Z"


def part(client: Client, **asked: str) -> Any:
    return client.get(CHOOSE, asked, headers=PART)


def cells(response: Any) -> dict[str, str]:
    """By date, what stands in its cell."""
    html = response.content.decode()
    found = re.findall(r'<td id="day-([\d-]+)"(.*?)</td>', html, re.DOTALL)
    return {day: " ".join(cell.split()) for day, cell in found}


def checked(response: Any) -> list[str]:
    inputs = re.findall(r"<input type=\"radio\"[^>]*>", response.content.decode())
    return [re.findall(r'value="([^"]*)"', one)[0] for one in inputs if "checked" in one]


def test_the_month_says_how_much_is_free_and_why_not(as_student: Client, teacher: Teacher) -> None:
    page = as_student.get(CHOOSE)
    shown = cells(page)
    assert len(shown) == 31
    href = f'href="?teacher={teacher.pk}&amp;day=2026-01-19"'
    assert href in shown["2026-01-19"]
    assert f"hx-get={href.removeprefix('href=')}" in shown["2026-01-19"]
    assert 'aria-label="Monday 19 January: 3 free times"' in shown["2026-01-19"]
    assert "data-chosen" in shown["2026-01-19"]
    assert "The teacher offers no lessons that day." in shown["2026-01-20"]
    assert "href" not in shown["2026-01-20"]
    assert "This time has passed." in shown["2026-01-13"]
    assert 'aria-current="date"' in shown["2026-01-14"]
    html = page.content.decode()
    assert "Next free day: Mon 26 Jan" in " ".join(html.split())
    assert '<abbr title="Monday">Mon</abbr>' in html
    assert 'rel="prev"' not in html
    assert f'href="?teacher={teacher.pk}&amp;month=2026-02"' in html


def test_every_slot_is_called_by_its_full_date(as_student: Client, course: Course) -> None:
    html = " ".join(as_student.get(CHOOSE).content.decode().split())
    assert '<span class="visually-hidden">Monday 19 January 2026,</span> 16:00' in html
    assert "Times are on your clock: Berlin time (Europe/Berlin)." in html


def test_the_date_is_marked_where_the_teachers_clock_shows_another(
    as_student: Client, student: Student, course: Course
) -> None:
    student.zone = "Pacific/Auckland"
    student.save()
    html = " ".join(as_student.get(CHOOSE, {"day": "2026-01-20"}).content.decode().split())
    # Monday 16:00 in Berlin is Tuesday 04:00 in Auckland.
    assert "Tuesday 20 January 2026,</span> 04:00" in html
    assert "teacher’s clock</span> Mon 19 Jan 16:00" in html
    assert "Auckland time (Pacific/Auckland)" in html
    assert "Berlin time (Europe/Berlin)" in html


def test_a_part_holds_what_changed_and_keeps_what_is_chosen(
    as_student: Client, teacher: Teacher
) -> None:
    answer = part(as_student, teacher=str(teacher.pk), day="2026-01-26", slot=FIRST)
    html = answer.content.decode()
    assert slots_on(answer)[0] == LATER
    assert checked(answer) == [FIRST]
    assert "Chosen so far" in html
    assert html.count('hx-swap-oob="true"') == 2
    assert html.lstrip().startswith('<div id="times"')
    # Without what was chosen: an address to come back to, and to give to others.
    assert answer["HX-Push-Url"] == f"{CHOOSE}?teacher={teacher.pk}&day=2026-01-26"
    assert "Monday 26 January: 3 free times" in html
    back = part(as_student, teacher=str(teacher.pk), day="2026-01-19", slot=SECOND)
    assert checked(back) == [SECOND]
    assert "Chosen so far" not in back.content.decode()


def test_what_is_chosen_and_gone_is_not_kept(
    as_student: Client, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    begin = datetime.fromisoformat(FIRST)
    make_lesson(begin, begin + timedelta(minutes=45), student=make_student("rival@school.example"))
    for slot in (FIRST, "nonsense", "2026-01-19T15:10:00Z"):
        answer = part(as_student, teacher=str(teacher.pk), day="2026-01-26", slot=slot)
        assert checked(answer) == []


def test_what_the_draft_holds_stays_chosen_on_other_days(
    as_student: Client, teacher: Teacher
) -> None:
    choose(as_student, teacher)
    page = as_student.get(CHOOSE, {"teacher": str(teacher.pk), "day": "2026-01-26"})
    assert checked(page) == [FIRST]
    assert "Chosen so far" in page.content.decode()
    assert checked(as_student.get(CHOOSE)) == [FIRST]


def test_two_students_want_one_time_and_the_second_sees_the_nearest(
    as_student: Client, teacher: Teacher
) -> None:
    rival = Client()
    rival.force_login(make_student("rival@school.example").user)
    assert FIRST in slots_on(rival.get(CHOOSE))
    assert FIRST in slots_on(as_student.get(CHOOSE))
    assert choose(rival, teacher).status_code == 303
    late = choose(as_student, teacher)
    assert late.status_code == 409
    assert "Monday 19 January, 16:00 with Marta Rossi is no longer free." in " ".join(
        late.content.decode().split()
    )
    assert slots_on(late)[:2] == [SECOND, "2026-01-19T16:30:00Z"]
    assert len(slots_on(late)) == 5
    assert "?teacher=" in late.content.decode()


def test_a_closed_day_says_why_wherever_it_is_asked_for(
    as_student: Client, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_closures", everybody_closed({date(2026, 1, 19): "Snow"}))
    page = as_student.get(CHOOSE, {"day": "2026-01-19"})
    assert "Closed: Snow." in cells(page)["2026-01-19"]
    assert '<small class="note" aria-hidden="true">Snow</small>' in cells(page)["2026-01-19"]
    assert slots_on(page) == []
    text = " ".join(page.content.decode().split())
    assert "<h3>Monday 19 January</h3> <p>Closed: Snow.</p>" in text
    assert "<dt>Mon 19 Jan</dt> <dd> Closed: Snow. </dd>" in text


def test_a_month_without_anything_free_leads_to_the_next_free_day(
    as_student: Client, teacher: Teacher
) -> None:
    BookingPolicy.objects.create(horizon_days=60)
    AvailabilityRule.objects.update(valid_from="2026-03-01")
    answer = part(as_student, teacher=str(teacher.pk), month="2026-02")
    text = " ".join(answer.content.decode().split())
    assert slots_on(answer) == []
    assert "Nothing is free in this month." in text
    assert "Next free day: Mon 2 Mar" in text
    assert 'rel="prev"' in text


def test_nothing_free_at_all_is_explained_for_every_month(
    as_student: Client, course: Course
) -> None:
    AvailabilityRule.objects.all().delete()
    text = " ".join(as_student.get(CHOOSE).content.decode().split())
    assert "No free time at the moment" in text
    assert "Wed 14 Jan" in text
    assert "Wed 11 Feb" in text


@pytest.mark.parametrize("slots", [3, 12])
def test_the_queries_do_not_grow_and_a_part_asks_fewer(
    as_student: Client, teacher: Teacher, django_assert_max_num_queries: Any, slots: int
) -> None:
    """A part: session, user, course, student, enrollment, draft (of none of them a teacher), teachers,
    whom the address names, slots. The page also whether there is a place, and the navigation."""
    AvailabilityRule.objects.update(ends=time(16 + slots // 2, 30))
    with django_assert_max_num_queries(8):
        part(as_student, teacher=str(teacher.pk), day="2026-01-19")
    with django_assert_max_num_queries(18):
        as_student.get(CHOOSE)


def test_reasons_are_grouped_and_what_says_most_comes_first() -> None:
    first, last = date(2026, 2, 2), date(2026, 2, 20)
    weeks = picker.weeks(
        date(2026, 2, 1),
        free={date(2026, 2, 3): 2},
        why={
            first + timedelta(days=n): (Why.NO_HOURS, "") if n else (Why.CLOSED, "Snow")
            for n in range(19)
            if n != 1
        },
        first=first,
        last=last,
        chosen=date(2026, 2, 3),
    )
    days = [day for week in weeks for day in week if day]
    assert [day.on.day for day in days] == list(range(1, 29))
    assert [day.on for day in days if day.chosen] == [date(2026, 2, 3)]
    closed = [(one.why, one.note, len(one.days)) for one in picker.grouped(days)]
    # Past days are no news.
    assert closed == [("closed", "Snow", 1), ("horizon", "", 8), ("no_hours", "", 17)]


def test_the_first_of_a_month_is_on_the_students_calendar(
    as_student: Client, student: Student, teacher: Teacher
) -> None:
    """Saturday 23:30 in Berlin is Sunday 1 February in Auckland: another month."""
    AvailabilityRule.objects.update(weekday=5, starts=time(23), ends=time(0), ends_next_day=True)
    student.zone = "Pacific/Auckland"
    student.save()
    page = part(as_student, teacher=str(teacher.pk), day="2026-02-01")
    assert [f"{datetime.fromisoformat(slot).astimezone(UTC):%d %H}" for slot in slots_on(page)] == [
        "31 22"
    ]
    assert "2026-02-01" in cells(page)
