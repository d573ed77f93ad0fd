"""The pages of booking, moving and cancelling: what they offer, refuse and say."""

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from enrollment.models import Course, Enrollment, Lesson, LessonChange, Message, Student, Teacher
from scheduling.domain.choice import as_text
from scheduling.models import AvailabilityRule, BookingPolicy
from scheduling.operations.booking import book_lesson
from tests.conftest import Switches, make_student, make_teacher
from tests.scheduling.conftest import NOW, everybody_closed

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("monday_hours", "no_closed_days", "now"),
]
FIRST = datetime(2026, 1, 19, 15, 0, tzinfo=UTC)
SECOND = FIRST + timedelta(minutes=45)
WEEK = timedelta(weeks=1)


@pytest.fixture
def enrollment(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(
        student=student, course=course, teacher=teacher, status="confirmed"
    )


@pytest.fixture
def lesson(enrollment: Enrollment, teacher: Teacher, student: Student) -> Lesson:
    return book_lesson(
        enrollment=enrollment, teacher=teacher, starts_at=FIRST, by=student.user, now=NOW
    )


@pytest.fixture
def as_teacher(teacher: Teacher) -> Client:
    client = Client()
    client.force_login(teacher.user)
    return client


def page(name: str, of: Enrollment | Lesson) -> str:
    return reverse(f"scheduling:{name}", args=[of.pk])


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def reasons(response: Any) -> dict[str, str]:
    """By day or week, why nothing is free."""
    return dict(re.findall(r"<dt>\s*([^<]*?)\s*</dt>\s*<dd>\s*([^<]*?)\s*</dd>", text(response)))


def taken(course: Course, teacher: Teacher, starts_at: datetime) -> Lesson:
    other = Enrollment.objects.create(
        student=make_student(f"other{Student.objects.count()}@school.example"),
        course=course,
        status="confirmed",
    )
    by = other.student.user
    return book_lesson(enrollment=other, teacher=teacher, starts_at=starts_at, by=by, now=NOW)


def chosen(teacher: Teacher, at: datetime, **more: Any) -> dict[str, Any]:
    return {"teacher": teacher.pk, "slot": as_text(at), "repeat": "0", "count": "5"} | more


# What the ground floor's pages offer


def test_a_students_enrollment_offers_to_book_move_and_cancel(
    as_student: Client, lesson: Lesson, enrollment: Enrollment
) -> None:
    shown = text(as_student.get(reverse("enrollment:enrolled", args=[enrollment.pk])))
    assert page("book", enrollment) in shown
    assert page("move_lesson", lesson) in shown
    assert page("cancel_lesson", lesson) in shown
    assert "until Sun 18 Jan, 16:00" in shown


def test_a_teachers_lessons_offer_the_same(as_teacher: Client, lesson: Lesson) -> None:
    shown = text(as_teacher.get(reverse("enrollment:my_lessons")))
    assert page("move_lesson", lesson) in shown
    assert page("cancel_lesson", lesson) in shown


def test_two_deadlines_are_two_sentences_and_what_is_over_has_no_button(
    as_student: Client, lesson: Lesson, enrollment: Enrollment
) -> None:
    BookingPolicy.objects.create(move_notice_hours=240, cancel_notice_hours=2)
    shown = text(as_student.get(reverse("enrollment:enrolled", args=[enrollment.pk])))
    assert (
        "Could be moved until Fri 9 Jan, 16:00. Can be cancelled until Mon 19 Jan, 14:00." in shown
    )
    assert page("move_lesson", lesson) not in shown
    assert page("cancel_lesson", lesson) in shown


def test_nothing_is_offered_while_the_feature_is_off(
    as_student: Client, lesson: Lesson, enrollment: Enrollment, switches: Switches
) -> None:
    switches.kill()
    shown = text(as_student.get(reverse("enrollment:enrolled", args=[enrollment.pk])))
    assert "Lessons" in shown
    assert "Book a lesson" not in shown
    assert "until Sun 18 Jan" not in shown
    for name, of in (("book", enrollment), ("move_lesson", lesson), ("cancel_lesson", lesson)):
        answer = as_student.post(page(name, of))
        assert (answer.status_code, answer["Location"]) == (303, "/home/")
    lesson.refresh_from_db()
    assert lesson.status == "planned"


def test_a_broken_feature_leaves_the_page_whole(
    as_student: Client, lesson: Lesson, enrollment: Enrollment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_named: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("scheduling.views.actions.deadlines_of", broken)
    answer = as_student.get(reverse("enrollment:enrolled", args=[enrollment.pk]))
    assert answer.status_code == 200
    assert "Book a lesson" not in text(answer)


def test_an_enrollment_that_is_over_offers_no_booking(
    as_student: Client, enrollment: Enrollment
) -> None:
    Enrollment.objects.update(status="completed")
    assert "Book a lesson" not in text(
        as_student.get(reverse("enrollment:enrolled", args=[enrollment.pk]))
    )
    answer = as_student.get(page("book", enrollment))
    assert answer.status_code == 409
    assert "This enrollment is over" in text(answer)


def test_the_page_costs_no_query_for_each_lesson(
    as_student: Client,
    enrollment: Enrollment,
    teacher: Teacher,
    student: Student,
    django_assert_max_num_queries: Any,
) -> None:
    for at in (FIRST, SECOND, FIRST + WEEK, SECOND + WEEK):
        book_lesson(enrollment=enrollment, teacher=teacher, starts_at=at, by=student.user, now=NOW)
    with django_assert_max_num_queries(20) as asked:
        as_student.get(reverse("enrollment:enrolled", args=[enrollment.pk]))
    assert sum("scheduling_bookingpolicy" in query["sql"] for query in asked.captured_queries) == 1


# Booking


def test_one_lesson_is_booked(as_student: Client, enrollment: Enrollment, teacher: Teacher) -> None:
    shown = text(as_student.get(page("book", enrollment)))
    assert as_text(FIRST) in shown
    assert "A lesson lasts 45 minutes." in shown
    answer = as_student.post(page("book", enrollment), chosen(teacher, FIRST), follow=True)
    assert answer.redirect_chain == [(reverse("enrollment:enrolled", args=[enrollment.pk]), 303)]
    assert "The lesson is booked." in text(answer)
    assert Lesson.objects.get().starts_at == FIRST


def test_a_taken_time_names_the_five_nearest(
    as_student: Client, enrollment: Enrollment, course: Course, teacher: Teacher
) -> None:
    taken(course, teacher, SECOND)
    answer = as_student.post(page("book", enrollment), chosen(teacher, SECOND))
    assert answer.status_code == 409
    shown = text(answer)
    assert "Monday 19 January, 16:45 with Marta Rossi is no longer free." in shown
    assert shown.count('name="slot"') == 5
    assert as_text(FIRST) in shown
    assert not Lesson.objects.filter(enrollment=enrollment).exists()


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"slot": ""}, "Choose a time."),
        ({"slot": "tomorrow"}, "This is no time that can be read."),
        ({"teacher": "0"}, "This teacher does not teach this course."),
        ({"repeat": "3"}, "Select a valid choice."),
        ({"repeat": "1", "count": ""}, "Say how many lessons the series has."),
        ({"repeat": "1", "count": "1"}, "A series has at least 2 lessons."),
        ({"repeat": "1", "count": "53"}, "A series has at most 52 lessons."),
        ({"repeat": "1", "count": "many"}, "Write a whole number from 2 to 52."),
    ],
)
def test_bad_input_is_told_and_nothing_is_lost(
    as_student: Client,
    enrollment: Enrollment,
    teacher: Teacher,
    answers: dict[str, str],
    words: str,
) -> None:
    posted = chosen(teacher, FIRST) | answers
    answer = as_student.post(page("book", enrollment), posted)
    assert answer.status_code == 422
    assert words in text(answer)
    if answers.get("count"):
        assert f'value="{answers["count"]}"' in text(answer)
        assert f'value="{as_text(FIRST)}" required checked' in text(answer)
    assert not Lesson.objects.exists()


def test_a_teacher_books_own_times_only(
    as_teacher: Client, enrollment: Enrollment, course: Course, teacher: Teacher
) -> None:
    other = make_teacher("tom@school.example")
    course.teachers.add(other)
    AvailabilityRule.objects.create(teacher=other, weekday=0, starts=time(16), ends=time(18))
    answer = as_teacher.post(page("book", enrollment), chosen(other, FIRST))
    assert answer.status_code == 422
    assert as_teacher.post(page("book", enrollment), chosen(teacher, FIRST)).status_code == 303


def test_the_policys_length_is_shown(as_student: Client, enrollment: Enrollment) -> None:
    BookingPolicy.objects.create(lesson_minutes=30)
    assert "A lesson lasts 30 minutes." in text(as_student.get(page("book", enrollment)))


# Why not


def test_every_closed_day_says_why(
    as_student: Client, enrollment: Enrollment, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scheduling import sockets

    monkeypatch.setattr(sockets, "_closures", everybody_closed({FIRST.date(): "Snow"}))
    shown = as_student.get(page("book", enrollment))
    assert "Why is nothing free on other days?" in text(shown)
    # The second Monday's week is shown, the first has nothing at all.
    assert reasons(shown)["19 Jan – 25 Jan"] == "Closed: Snow."
    assert reasons(shown)["Tuesday 27 January"] == "The teacher offers no lessons that day."


def test_when_nothing_is_free_the_page_says_why(as_student: Client, enrollment: Enrollment) -> None:
    BookingPolicy.objects.create(notice_minutes=30_000, horizon_days=14)
    shown = text(as_student.get(page("book", enrollment)))
    assert "No free time at the moment" in shown
    assert "This is too soon to be booked now." in shown
    assert reverse("enrollment:thread", args=[enrollment.pk]) in shown


def test_the_flow_says_why_too(as_student: Client, course: Course, teacher: Teacher) -> None:
    for at in (FIRST, SECOND, SECOND + timedelta(minutes=45)):
        taken(course, teacher, at)
    shown = as_student.get(reverse("calendar:choose", args=[course.slug]))
    assert reasons(shown)["Mon 19 Jan"] == "Fully booked."


# Series


def series_of(enrollment: Enrollment, teacher: Teacher, count: int, every: int = 1) -> str:
    asked = f"?teacher={teacher.pk}&slot={as_text(FIRST)}&every={every}&count={count}"
    return page("series", enrollment) + asked.replace(":", "%3A")


def test_a_series_is_shown_before_it_is_booked(
    as_student: Client, enrollment: Enrollment, course: Course, teacher: Teacher
) -> None:
    taken(course, teacher, FIRST + WEEK)
    posted = chosen(teacher, FIRST, repeat="1", count="6")
    answer = as_student.post(page("book", enrollment), posted)
    assert answer.status_code == 303
    assert answer["Location"] == series_of(enrollment, teacher, 6)
    assert not Lesson.objects.filter(enrollment=enrollment).exists()
    shown = text(as_student.get(answer["Location"]))
    # Of six Mondays the second is taken and the last two are beyond the 28 days.
    assert "3 of 6 weeks are free at this time." in shown
    assert "This time is taken." in shown
    assert "Book Monday 26 January, 16:45 instead" in shown
    assert "2 weeks from Monday 16 February on are too far ahead" in shown


def week_choices(*starts: datetime) -> dict[str, str]:
    return {f"week-{number}": as_text(at) for number, at in enumerate(starts, 1)}


def test_it_is_booked_as_it_was_chosen(
    as_student: Client, enrollment: Enrollment, course: Course, teacher: Teacher
) -> None:
    taken(course, teacher, FIRST + WEEK)
    asked = {"teacher": teacher.pk, "slot": as_text(FIRST), "every": 1, "count": 4}
    weeks = week_choices(FIRST, SECOND + WEEK, FIRST + 2 * WEEK) | {"week-4": "leave"}
    answer = as_student.post(page("series", enrollment), asked | weeks, follow=True)
    assert "3 lessons are booked." in text(answer)
    starts = [one.starts_at for one in Lesson.objects.filter(enrollment=enrollment)]
    assert starts == [FIRST, SECOND + WEEK, FIRST + 2 * WEEK]


@pytest.mark.parametrize("skip", [True, False])
def test_somebody_was_faster(
    as_student: Client, enrollment: Enrollment, course: Course, teacher: Teacher, skip: bool
) -> None:
    taken(course, teacher, FIRST + WEEK)
    asked: dict[str, Any] = {
        "teacher": teacher.pk,
        "slot": as_text(FIRST),
        "every": 1,
        "count": 3,
        **week_choices(FIRST, FIRST + WEEK, SECOND + 2 * WEEK),
    }
    if skip:
        answer = as_student.post(page("series", enrollment), asked | {"skip": "on"}, follow=True)
        assert "2 lessons are booked." in text(answer)
        assert "1 was not free." in text(answer)
        assert Lesson.objects.filter(enrollment=enrollment).count() == 2
        return
    answer = as_student.post(page("series", enrollment), asked)
    assert answer.status_code == 409
    assert "Nothing was booked: 1 of the chosen times is not free any more." in text(answer)
    assert f'name="week-1" value="{as_text(FIRST)}" checked' in text(answer)
    assert not Lesson.objects.filter(enrollment=enrollment).exists()


def test_nothing_but_weeks_left_out(
    as_student: Client, enrollment: Enrollment, teacher: Teacher
) -> None:
    asked = {"teacher": teacher.pk, "slot": as_text(FIRST), "every": 2, "count": 2}
    answer = as_student.post(page("series", enrollment), asked | {"week-1": "leave"})
    assert answer.status_code == 422
    assert "there is nothing to book" in text(answer)


@pytest.mark.parametrize("asked", ["", "?count=99&every=1", "?teacher=x&slot=y&every=1&count=3"])
def test_an_address_that_was_cut_leads_back(
    as_student: Client, enrollment: Enrollment, asked: str
) -> None:
    answer = as_student.get(page("series", enrollment) + asked)
    assert (answer.status_code, answer["Location"]) == (303, page("book", enrollment))


def test_a_preview_costs_the_same_for_many_weeks(
    as_student: Client,
    enrollment: Enrollment,
    teacher: Teacher,
    django_assert_max_num_queries: Any,
) -> None:
    for weeks in (2, 52):
        with django_assert_max_num_queries(15):
            as_student.get(series_of(enrollment, teacher, weeks))


# Moving


def test_a_lesson_is_moved(
    as_student: Client, lesson: Lesson, enrollment: Enrollment, teacher: Teacher
) -> None:
    shown = text(as_student.get(page("move_lesson", lesson)))
    assert "Monday 19 January 2026, 16:00–16:45" in shown
    assert "It can be moved until Sunday 18 January, 16:00." in shown
    posted = {"teacher": teacher.pk, "slot": as_text(SECOND), "reason": "Dentist"}
    answer = as_student.post(page("move_lesson", lesson), posted, follow=True)
    assert "The lesson is moved." in text(answer)
    lesson.refresh_from_db()
    assert lesson.starts_at == SECOND
    assert LessonChange.objects.get(what="moved").reason == "Dentist"


def test_the_place_is_taken(
    as_student: Client, lesson: Lesson, course: Course, teacher: Teacher
) -> None:
    taken(course, teacher, SECOND)
    posted = {"teacher": teacher.pk, "slot": as_text(SECOND), "reason": "Dentist"}
    answer = as_student.post(page("move_lesson", lesson), posted)
    assert answer.status_code == 409
    assert "is no longer free" in text(answer)
    assert text(answer).count('name="slot"') == 5
    assert 'value="Dentist"' in text(answer)


@pytest.mark.parametrize("name", ["move_lesson", "cancel_lesson"])
def test_too_late(
    as_student: Client, lesson: Lesson, enrollment: Enrollment, teacher: Teacher, name: str
) -> None:
    BookingPolicy.objects.create(move_notice_hours=240, cancel_notice_hours=240)
    shown = as_student.get(page(name, lesson))
    assert shown.status_code == 200
    posted = {"teacher": teacher.pk, "slot": as_text(SECOND)}
    refused = as_student.post(page(name, lesson), posted)
    assert refused.status_code == 409
    for answer in (shown, refused):
        assert "This was possible until Friday 9 January, 16:00." in text(answer)
        assert reverse("enrollment:thread", args=[enrollment.pk]) in text(answer)
    lesson.refresh_from_db()
    assert (lesson.starts_at, lesson.status) == (FIRST, "planned")


# Cancelling


@pytest.mark.parametrize("who", ["student", "teacher"])
def test_a_lesson_is_cancelled(
    as_student: Client, as_teacher: Client, lesson: Lesson, who: str
) -> None:
    client = as_student if who == "student" else as_teacher
    assert "Cancel this lesson?" in text(client.get(page("cancel_lesson", lesson)))
    assert Lesson.objects.get().status == "planned"
    answer = client.post(page("cancel_lesson", lesson), {"reason": "Ill"}, follow=True)
    assert "The lesson is cancelled." in text(answer)
    assert Lesson.objects.get().status == "cancelled"
    assert Message.objects.latest("pk").body.endswith("Reason: Ill")
    assert "stays as it is" in text(client.get(page("cancel_lesson", lesson)))


def test_a_reason_that_is_too_long(as_student: Client, lesson: Lesson) -> None:
    answer = as_student.post(page("cancel_lesson", lesson), {"reason": "x" * 201})
    assert answer.status_code == 422
    assert "at most 200 characters" in text(answer)
    assert "x" * 201 in text(answer)


def test_strangers_find_nothing(lesson: Lesson, enrollment: Enrollment, client: Client) -> None:
    client.force_login(make_student("eve@school.example").user)
    for name, of in (
        ("book", enrollment),
        ("series", enrollment),
        ("move_lesson", lesson),
        ("cancel_lesson", lesson),
    ):
        assert client.get(page(name, of)).status_code == 404
        assert client.post(page(name, of)).status_code == 404


def test_a_hold_is_no_lesson_to_move(
    as_student: Client, course: Course, teacher: Teacher, student: Student
) -> None:
    as_student.post(
        reverse("calendar:choose", args=[course.slug]),
        {"teacher": teacher.pk, "slot": as_text(FIRST)},
    )
    hold = Lesson.objects.get(status="held")
    assert as_student.get(page("move_lesson", hold)).status_code == 404


# The hold's countdown


def test_the_page_says_how_long_the_time_is_held(
    as_student: Client, course: Course, teacher: Teacher
) -> None:
    as_student.post(
        reverse("calendar:choose", args=[course.slug]),
        {"teacher": teacher.pk, "slot": as_text(FIRST)},
    )
    for name in ("calendar:choose", "scheduling:details"):
        shown = text(as_student.get(reverse(name, args=[course.slug])))
        assert 'data-countdown="600"' in shown
        assert "scheduling/countdown.js" in shown


def test_the_summary_shows_the_policys_length(
    as_student: Client, course: Course, teacher: Teacher
) -> None:
    BookingPolicy.objects.create(lesson_minutes=30)
    as_student.post(
        reverse("calendar:choose", args=[course.slug]),
        {"teacher": teacher.pk, "slot": as_text(FIRST)},
    )
    posted = {"teacher": teacher.pk, "slot": as_text(FIRST), "wished_times": "", "note": ""}
    as_student.post(reverse("scheduling:details", args=[course.slug]), posted)
    shown = text(as_student.get(reverse("scheduling:confirm", args=[course.slug])))
    assert "30 minutes" in shown
    assert "45 minutes" not in shown


# Times that nobody means


@pytest.mark.parametrize(
    "slot", ["9999-12-31T23:59:59Z", "9999-12-20T15:00:00Z", "0001-01-05T15:00:00Z"]
)
def test_the_ends_of_the_calendar_are_no_error(
    as_student: Client, lesson: Lesson, enrollment: Enrollment, teacher: Teacher, slot: str
) -> None:
    asked: dict[str, Any] = {
        "teacher": teacher.pk,
        "slot": slot,
        "repeat": "0",
        "count": "52",
        "every": "2",
    }
    for name, of in (("book", enrollment), ("move_lesson", lesson)):
        answer = as_student.post(page(name, of), asked)
        assert (answer.status_code, "no time that can be read" in text(answer)) == (422, True)
    series, weeks = page("series", enrollment), {"week-1": slot, "week-2": as_text(FIRST + WEEK)}
    for answer in (as_student.get(series, asked), as_student.post(series, asked | weeks)):
        assert answer["Location"] == page("book", enrollment)
    # In an honest series the one week that says so counts as left out.
    as_student.post(series, asked | {"slot": as_text(FIRST)} | weeks)
    starts = [one.starts_at for one in Lesson.objects.order_by("period")]
    assert starts == [FIRST, FIRST + WEEK]
