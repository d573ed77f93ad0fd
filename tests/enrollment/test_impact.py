"""Before a change would leave planned lessons standing wrong, the office sees them and decides."""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from config.roles import give_permissions
from enrollment.models import (
    Conflict,
    Course,
    Enrollment,
    Lesson,
    LessonChange,
    MakeUpCredit,
    Message,
    Student,
    Teacher,
    User,
)
from enrollment.operations.conflicts import find_conflicts
from enrollment.operations.impact import impact
from holidays.models import Holiday
from scheduling.models import AvailabilityException, AvailabilityRule, TimeOff
from tests.conftest import Switches, make_student, make_teacher, make_user

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")


def coming_monday() -> date:
    today = timezone.localdate()
    return today + timedelta(days=7 - today.weekday())


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), BERLIN)


@pytest.fixture
def office(client: Client) -> Client:
    give_permissions()
    client.force_login(make_user("office@school.example", "staff", is_staff=True))
    return client


@pytest.fixture
def rule(teacher: Teacher) -> AvailabilityRule:
    """Mondays 16 to 20."""
    return AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=time(16), ends=time(20)
    )


@pytest.fixture
def other_rule(teacher: Teacher) -> AvailabilityRule:
    """Tuesdays 10 to 12."""
    return AvailabilityRule.objects.create(
        teacher=teacher, weekday=1, starts=time(10), ends=time(12)
    )


Plan = Callable[..., Lesson]


@pytest.fixture
def plan(teacher: Teacher, course: Course, student: Student) -> Plan:
    def make(starts: datetime, **fields: Any) -> Lesson:
        pupil = fields.pop("student", student)
        enrollment, _made = Enrollment.objects.get_or_create(
            student=pupil,
            course=fields.get("course", course),
            defaults={"teacher": teacher, "status": "confirmed"},
        )
        values = {
            "teacher": teacher,
            "course": course,
            "student": pupil,
            "enrollment": enrollment,
            "period": DateTimeTZRange(starts, starts + timedelta(minutes=45)),
            "local_on": starts.date(),
            "local_start": starts.time(),
            "zone": "Europe/Berlin",
            "status": "planned",
        }
        return Lesson.objects.create(**values | fields)

    return make


def change(rule: AvailabilityRule) -> str:
    return reverse("admin:scheduling_availabilityrule_change", args=[rule.pk])


def typed(rule: AvailabilityRule, **fields: str) -> dict[str, str]:
    values = {
        "teacher": str(rule.teacher_id),
        "weekday": "0",
        "starts": "16:00",
        "ends": "20:00",
        "every_weeks": "1",
        "valid_from": "",
        "valid_until": "",
        "_save": "1",
    }
    return values | fields


def hidden(content: str) -> dict[str, str]:
    """What the page between would post again, as a browser does."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', content)
    seen = re.findall(r'<input type="hidden" name="(impact-seen-[^"]+)" value="([^"]*)"', content)
    return {unescape(name): unescape(value) for name, value in [*found, *seen]}


def decide(client: Client, url: str, first: Any, **answers: str) -> Any:
    posted = hidden(first.content.decode())
    posted.pop("csrfmiddlewaretoken", None)
    named = {name.replace("__", "-"): value for name, value in answers.items()}
    return client.post(url, {**posted, "impact": "decide", "impact-all": "keep", **named})


def text(response: Any) -> str:
    return " ".join(unescape(response.content.decode()).split())


def places() -> list[str]:
    found = Lesson.objects.order_by("period", "pk")
    return [f"{one.local_on:%a} {one.local_start:%H:%M} {one.status}" for one in found]


# ------------------------------------------------------------ hours
def test_a_change_that_hits_nothing_is_saved_at_once(
    office: Client, rule: AvailabilityRule, plan: Plan
) -> None:
    plan(at(coming_monday(), 16))
    response = office.post(change(rule), typed(rule, ends="18:00"))
    assert response.status_code == 302
    rule.refresh_from_db()
    assert rule.ends == time(18)


def test_a_change_that_hits_lessons_is_asked_about_first(
    office: Client, rule: AvailabilityRule, other_rule: AvailabilityRule, plan: Plan
) -> None:
    plan(at(coming_monday(), 16))
    late = plan(at(coming_monday(), 19))
    response = office.post(change(rule), typed(rule, ends="18:00"))
    content = text(response)
    assert response.status_code == 200
    assert "This change hits 1 lesson" in content
    assert "Lesson outside the teacher’s hours" in content
    assert "Ada Vogel" in content
    assert f"impact-lesson-{late.pk}" in content
    # Times that are free after the change, and none that it takes away.
    assert re.search(r"to:\S+T09:00:00", content) or re.search(r"to:\S+T08:00:00", content)
    assert "T18:" not in content
    rule.refresh_from_db()
    assert rule.ends == time(20)
    assert not Conflict.objects.exists()


def test_all_choices_happen_with_the_change(
    office: Client, rule: AvailabilityRule, other_rule: AvailabilityRule, plan: Plan, course: Course
) -> None:
    monday = coming_monday()
    pupils = [make_student(f"p{number}@school.example") for number in range(4)]
    moved = plan(at(monday, 18), student=pupils[0])
    given = plan(at(monday, 19), student=pupils[1])
    gone = plan(at(monday + timedelta(days=7), 18), student=pupils[2])
    kept = plan(at(monday + timedelta(days=7), 19), student=pupils[3])
    substitute = make_teacher("sub@school.example")
    AvailabilityRule.objects.create(teacher=substitute, weekday=0, starts=time(19), ends=time(20))
    without_hours = make_teacher("nobody@school.example")
    course.teachers.add(substitute, without_hours)
    first = office.post(change(rule), typed(rule, ends="18:00"))
    start = re.search(
        rf'name="impact-lesson-{moved.pk}" value="(to:[^"]+)"', first.content.decode()
    )
    assert start
    assert f"teacher:{without_hours.pk}" not in first.content.decode()
    response = decide(
        office,
        change(rule),
        first,
        impact__send="on",
        impact__extra="We are sorry.",
        impact__reason="New plan.",
        **{
            f"impact-lesson-{moved.pk}": start[1],
            f"impact-lesson-{given.pk}": f"teacher:{substitute.pk}",
            f"impact-lesson-{gone.pk}": "credit",
        },
    )
    assert response.status_code == 302, text(response)
    rule.refresh_from_db()
    assert rule.ends == time(18)
    for lesson in (moved, given, gone, kept):
        lesson.refresh_from_db()
    assert f"{moved.starts_at.isoformat()}" == start[1].removeprefix("to:")
    assert (given.teacher, given.starts_at) == (substitute, at(monday, 19))
    assert (gone.status, kept.status) == ("cancelled", "planned")
    assert MakeUpCredit.objects.get().lesson == gone
    told = {message.enrollment.student_id for message in Message.objects.all()}
    assert told == {moved.student_id, given.student_id, gone.student_id}
    assert all("We are sorry." in message.body for message in Message.objects.all())
    assert LessonChange.objects.filter(by__isnull=False, reason="New plan.").count() == 3
    displaced = Conflict.objects.filter(kind="outside_hours").values_list("status", flat=True)
    assert sorted(displaced) == ["dismissed", "resolved", "resolved", "resolved"]
    # What was kept is not found anew; but whoever lost their only lesson is.
    find_conflicts(now=timezone.now())
    assert Conflict.objects.get(status="open").kind == "without_lesson"


def test_saving_without_deciding_leaves_them_to_the_conflicts(
    office: Client, rule: AvailabilityRule, plan: Plan
) -> None:
    late = plan(at(coming_monday(), 19))
    first = office.post(change(rule), typed(rule, ends="18:00"))
    posted = hidden(first.content.decode())
    response = office.post(change(rule), {**posted, "impact": "later"}, follow=True)
    assert "1 lesson stays as it is" in text(response)
    rule.refresh_from_db()
    assert rule.ends == time(18)
    find_conflicts(now=timezone.now())
    assert [lesson.pk for lesson in Conflict.objects.get().lessons.all()] == [late.pk]


def test_the_way_back_keeps_what_was_typed(
    office: Client, rule: AvailabilityRule, plan: Plan
) -> None:
    plan(at(coming_monday(), 19))
    first = office.post(change(rule), typed(rule, ends="18:00"))
    response = office.post(change(rule), {**hidden(first.content.decode()), "impact": "back"})
    content = text(response)
    assert "Nothing is saved yet. Here is what you typed." in content
    assert 'value="18:00' in content
    rule.refresh_from_db()
    assert rule.ends == time(20)


def test_all_move_to_different_times(
    office: Client, rule: AvailabilityRule, other_rule: AvailabilityRule, plan: Plan
) -> None:
    for number in range(2):
        plan(at(coming_monday(), 18 + number), student=make_student(f"p{number}@school.example"))
    first = office.post(change(rule), typed(rule, ends="18:00"))
    response = decide(office, change(rule), first, **{"impact-all": "nearest"})
    assert response.status_code == 302, text(response)
    assert find_conflicts(now=timezone.now()).opened == 0
    assert len(set(places())) == 2


def test_two_that_are_sent_to_one_time_are_refused_and_nothing_is_saved(
    office: Client, rule: AvailabilityRule, other_rule: AvailabilityRule, plan: Plan
) -> None:
    lessons = [
        plan(at(coming_monday(), 18 + number), student=make_student(f"p{number}@school.example"))
        for number in range(2)
    ]
    before = places()
    first = office.post(change(rule), typed(rule, ends="18:00"))
    start = re.search(r'value="(to:[^"]+)"', first.content.decode())
    assert start
    same = {f"impact-lesson-{lesson.pk}": start[1] for lesson in lessons}
    response = decide(office, change(rule), first, **same)
    content = text(response)
    assert response.status_code == 422
    assert "Two of these lessons would meet there." in content
    assert content.count("checked") >= 3
    rule.refresh_from_db()
    assert (rule.ends, places()) == (time(20), before)


@pytest.mark.parametrize("answer", ["to:nonsense", "teacher:999999", "sell", "to:2031-03-10T09:00"])
def test_nonsense_is_refused_at_its_lesson(
    office: Client, rule: AvailabilityRule, plan: Plan, answer: str
) -> None:
    late = plan(at(coming_monday(), 19))
    first = office.post(change(rule), typed(rule, ends="18:00"))
    response = decide(office, change(rule), first, **{f"impact-lesson-{late.pk}": answer})
    assert response.status_code == 422
    rule.refresh_from_db()
    assert rule.ends == time(20)


def test_a_lesson_that_somebody_moved_meanwhile_is_shown_anew(
    office: Client, rule: AvailabilityRule, plan: Plan
) -> None:
    late = plan(at(coming_monday(), 19))
    first = office.post(change(rule), typed(rule, ends="18:00"))
    there = at(coming_monday(), 18)
    Lesson.objects.filter(pk=late.pk).update(
        period=DateTimeTZRange(there, there + timedelta(minutes=45))
    )
    response = decide(office, change(rule), first, **{f"impact-lesson-{late.pk}": "cancel"})
    assert response.status_code == 422
    assert "has changed meanwhile" in text(response)
    late.refresh_from_db()
    assert late.status == "planned"
    again = decide(office, change(rule), response, **{f"impact-lesson-{late.pk}": "cancel"})
    assert again.status_code == 302, text(again)
    late.refresh_from_db()
    assert late.status == "cancelled"


def test_a_lesson_that_came_meanwhile_is_shown_before_anything_is_saved(
    office: Client, rule: AvailabilityRule, plan: Plan
) -> None:
    plan(at(coming_monday(), 19))
    first = office.post(change(rule), typed(rule, ends="18:00"))
    newer = plan(at(coming_monday() + timedelta(days=7), 19))
    response = decide(office, change(rule), first, **{"impact-all": "cancel"})
    assert response.status_code == 422
    assert f"impact-lesson-{newer.pk}" in text(response)
    assert not Lesson.objects.filter(status="cancelled").exists()


def test_deleting_the_last_hours_is_asked_about(
    office: Client, rule: AvailabilityRule, plan: Plan
) -> None:
    late = plan(at(coming_monday(), 19))
    url = reverse("admin:scheduling_availabilityrule_delete", args=[rule.pk])
    first = office.post(url, {"post": "yes"})
    assert "This change hits 1 lesson" in text(first)
    assert "Teacher without any hours" in text(first)
    assert AvailabilityRule.objects.exists()
    response = decide(office, url, first, **{f"impact-lesson-{late.pk}": "cancel"})
    assert response.status_code == 302, text(response)
    assert not AvailabilityRule.objects.exists()
    late.refresh_from_db()
    assert late.status == "cancelled"


def test_deleting_several_is_asked_about(
    office: Client, rule: AvailabilityRule, other_rule: AvailabilityRule, plan: Plan
) -> None:
    plan(at(coming_monday(), 19))
    url = reverse("admin:scheduling_availabilityrule_changelist")
    chosen = {"action": "delete_selected", "_selected_action": [rule.pk], "post": "yes"}
    first = office.post(url, chosen)
    assert "This change hits 1 lesson" in text(first)
    assert AvailabilityRule.objects.count() == 2
    response = decide(office, url, first)
    assert response.status_code == 302, text(response)
    assert AvailabilityRule.objects.get() == other_rule


# ------------------------------------------------------------ everything else that displaces
def test_an_exception(office: Client, rule: AvailabilityRule, plan: Plan, teacher: Teacher) -> None:
    monday = coming_monday()
    plan(at(monday, 19))
    data = {"teacher": str(teacher.pk), "day_on": monday.isoformat(), "kind": "replace"}
    response = office.post(reverse("admin:scheduling_availabilityexception_add"), data)
    assert "This change hits 1 lesson" in text(response)
    assert not AvailabilityException.objects.exists()


def test_time_off(office: Client, rule: AvailabilityRule, plan: Plan, teacher: Teacher) -> None:
    monday = coming_monday()
    plan(at(monday, 19))
    data = {
        "teacher": str(teacher.pk),
        "from_on": monday.isoformat(),
        "until_on": monday.isoformat(),
        "reason": "Choir",
    }
    url = reverse("admin:scheduling_timeoff_add")
    response = office.post(url, data)
    assert "Lesson in the teacher’s time off" in text(response), text(response)[-3000:]
    assert not TimeOff.objects.exists()
    assert decide(office, url, response).status_code == 302
    assert TimeOff.objects.get().reason == "Choir"


def test_a_holiday(office: Client, rule: AvailabilityRule, plan: Plan) -> None:
    monday = coming_monday()
    late = plan(at(monday, 19))
    data = {"name": "Whit Monday", "first_on": monday.isoformat(), "last_on": monday.isoformat()}
    data |= {"kind": "public", "scope": "school"}
    url = reverse("admin:holidays_holiday_add")
    response = office.post(url, data)
    content = text(response)
    assert "Lesson on a holiday: Whit Monday" in content
    assert not Holiday.objects.exists()
    assert f"{monday.isoformat()}T" not in "".join(re.findall(r'value="to:([^"]+)"', content))
    done = decide(office, url, response, **{f"impact-lesson-{late.pk}": "credit"})
    assert done.status_code == 302, text(done)
    assert Holiday.objects.get().name == "Whit Monday"
    late.refresh_from_db()
    assert late.status == "cancelled"


def test_another_zone(office: Client, rule: AvailabilityRule, plan: Plan, teacher: Teacher) -> None:
    plan(at(coming_monday(), 16))
    url = reverse("admin:enrollment_teacher_change", args=[teacher.pk])
    data = {"display_name": teacher.display_name, "zone": "Asia/Tokyo", "bio": ""}
    response = office.post(url, data)
    assert "This change hits 1 lesson" in text(response), text(response)[-2000:]
    teacher.refresh_from_db()
    assert teacher.zone == "Europe/Berlin"


@pytest.mark.usefixtures("office")
def test_an_account_that_is_switched_off(
    client: Client, plan: Plan, teacher: Teacher, admin: User, switches: Switches
) -> None:
    switches.kill()
    client.force_login(admin)
    plan(at(coming_monday(), 16))
    url = reverse("admin:enrollment_user_change", args=[teacher.user.pk])
    data = {"email": teacher.user.email, "first_name": "Marta", "last_name": "Rossi"}
    response = client.post(url, data)
    assert "Lesson of a teacher whose account is off" in text(response)
    teacher.user.refresh_from_db()
    assert teacher.user.is_active


def test_no_longer_teaching_the_course(
    office: Client, plan: Plan, course: Course, switches: Switches
) -> None:
    switches.kill()
    plan(at(coming_monday(), 16))
    url = reverse("admin:enrollment_course_change", args=[course.pk])
    data = {
        "title": course.title,
        "slug": course.slug,
        "description": "",
        "teachers": [str(make_teacher("new@school.example").pk)],
        "lesson_minutes": "45",
        "seats": "1",
        "capacity": "10",
        "opens_on": "",
        "closes_on": "",
        "units-TOTAL_FORMS": "0",
        "units-INITIAL_FORMS": "0",
    }
    response = office.post(url, data)
    assert "This change hits 1 lesson" in text(response), text(response)[-2500:]
    assert course.teachers.get().user.email == "marta@school.example"


# ------------------------------------------------------------ who, and how much
def test_who_may_not_change_lessons_sees_and_leaves_them(
    client: Client, rule: AvailabilityRule, plan: Plan
) -> None:
    late = plan(at(coming_monday(), 19))
    user = make_user("hours@school.example", is_staff=True)
    names = ("view_availabilityrule", "change_availabilityrule")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(user)
    first = client.post(change(rule), typed(rule, ends="18:00"))
    content = text(first)
    assert "This change hits 1 lesson" in content
    assert "Ada Vogel" not in content
    assert "Save, and do this" not in content
    forged = {**typed(rule, ends="18:00"), "impact": "decide", "impact-all": "cancel"}
    assert client.post(change(rule), forged).status_code == 403
    late.refresh_from_db()
    assert late.status == "planned"


def test_scheduling_off_nothing_is_asked_about(
    office: Client, plan: Plan, teacher: Teacher, rule: AvailabilityRule, switches: Switches
) -> None:
    """Its admin is shut; the ground floor's page of the teacher saves as it always did."""
    switches.kill()
    plan(at(coming_monday(), 16))
    url = reverse("admin:enrollment_teacher_change", args=[teacher.pk])
    data = {"display_name": teacher.display_name, "zone": "Asia/Tokyo", "bio": ""}
    assert office.post(url, data).status_code == 302
    assert not Conflict.objects.exists()


def test_the_preview_says_what_happens(
    rule: AvailabilityRule, other_rule: AvailabilityRule, plan: Plan, teacher: Teacher
) -> None:
    monday = coming_monday()
    inside = [plan(at(monday + timedelta(weeks=week), 16)) for week in range(2)]
    outside = [plan(at(monday + timedelta(weeks=week), 19)) for week in range(3)]
    plan(at(monday, 8))  # stands outside before, too
    lessons = list(Lesson.objects.values_list("pk", flat=True))
    now = timezone.now()

    def shorten() -> None:
        AvailabilityRule.objects.filter(pk=rule.pk).update(ends=time(18))

    find_conflicts(now=now)
    said = [hit.lesson.pk for hit in impact(lessons=lessons, change=shorten, now=now)]
    rule.refresh_from_db()
    assert rule.ends == time(20)
    shorten()
    known = set(Conflict.objects.values_list("pk", flat=True))
    find_conflicts(now=now)
    found = Conflict.objects.exclude(pk__in=known).order_by("lessons__period")
    assert said == [one.lessons.get().pk for one in found] == [one.pk for one in outside]
    assert not {one.pk for one in inside} & set(said)


def test_many_lessons_cost_no_more_queries(
    rule: AvailabilityRule, other_rule: AvailabilityRule, plan: Plan
) -> None:
    def shorten() -> None:
        AvailabilityRule.objects.filter(pk=rule.pk).update(ends=time(16, 30))

    def asked(count: int) -> int:
        lessons = list(Lesson.objects.values_list("pk", flat=True))
        with CaptureQueriesContext(connection) as queries:
            hits = impact(lessons=lessons, change=shorten, now=timezone.now())
        assert len(hits) == count
        return len(queries)

    monday = coming_monday()
    plan(at(monday, 19))
    few = asked(1)
    pupils = [make_student(f"p{number}@school.example") for number in range(4)]
    for week in range(50):
        for number, pupil in enumerate(pupils):
            plan(
                at(monday + timedelta(weeks=week), 16, 45) + timedelta(minutes=45 * number),
                student=pupil,
            ) if week else None
    assert asked(1 + 49 * 4) == few
