"""Who is concerned, frozen as it was; figures from rows, counted again."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from rollback import affected, aftermath, incidents, runner
from rollback.domain.shares import Subject, bucket_of
from rollback.models import (
    AffectedPerson,
    Complaint,
    DoorCount,
    EnrollmentDraft,
    Incident,
    Switchboard,
)
from rollback.personal.engine import INCIDENTS
from rollback.runner import Actor
from tests.conftest import make_student, make_user

MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
API = "ENABLE_AVAILABILITY_API"
PERSON = Actor(name="a person")

pytestmark = pytest.mark.usefixtures("flag_rows")


def now() -> datetime:
    return datetime.now(UTC)


def share(percent: int, *flags: str) -> None:
    for flag in flags or (MASTER, CALENDAR):
        runner.set_share(flag=flag, percent=Decimal(percent), actor=PERSON, reason="x")


def roll_back(*flags: str) -> Incident:
    return runner.roll_back(flags=flags, incident="Errors", actor=PERSON, reason="4 %").incident


def reasons(incident: Incident) -> dict[str, list[str]]:
    found = AffectedPerson.objects.filter(incident=incident).order_by("pk")
    return {person.user.email: person.reasons for person in found.select_related("user")}


def draft(student: Student, course: Course, **fields: Any) -> EnrollmentDraft:
    made = {"started_at": now() - timedelta(hours=1), "saved_at": now()} | fields
    return EnrollmentDraft.objects.create(student=student, course=course, **made)


def plan(
    student: Student, course: Course, teacher: Teacher, *, starts: datetime, **fields: Any
) -> None:
    Lesson.objects.create(
        student=student,
        course=course,
        teacher=teacher,
        period=(starts, starts + timedelta(minutes=45)),
        local_on=starts.date(),
        local_start=starts.time(),
        zone="UTC",
        **fields,
    )


def test_everybody_is_there_once_with_each_reason(course: Course, teacher: Teacher) -> None:
    share(100)
    both, past, gone = (make_student(f"{name}@school.example") for name in ("both", "past", "gone"))
    draft(both, course)
    draft(past, course, finished_at=now() - timedelta(minutes=1))
    plan(both, course, teacher, starts=now() + timedelta(days=1))
    plan(past, course, teacher, starts=now() - timedelta(days=1))
    plan(gone, course, teacher, starts=now() + timedelta(days=2), status="cancelled")
    User.objects.filter(pk=gone.user_id).update(is_active=False)
    incident = roll_back(CALENDAR)
    assert affected.freeze(incident) == {
        "all": 3,
        "exposed": 3,
        "draft": 1,
        "lesson": 1,
        "teacher": 1,
    }
    assert reasons(incident) == {
        "both@school.example": ["draft", "exposed", "lesson"],
        "past@school.example": ["exposed"],
        teacher.user.email: ["exposed", "teacher"],
    }


def test_it_is_frozen_as_it_was_when_it_was_declared(course: Course, student: Student) -> None:
    """What happened between the kill and the counting changes nothing, nor what happens later."""
    share(100)
    saved = draft(student, course)
    incident = roll_back(CALENDAR)
    EnrollmentDraft.objects.filter(pk=saved.pk).update(finished_at=now())
    draft(make_student("later@school.example"), course, started_at=now())
    first = affected.freeze(incident)
    assert reasons(incident)[student.user.email] == ["draft", "exposed"]
    assert reasons(incident)["later@school.example"] == ["exposed"]
    make_student("new@school.example")
    assert affected.freeze(incident) == first
    assert incident.events.filter(kind="people").count() == 1
    assert incident.events.get(kind="people").payload["counts"] == first


def test_who_had_it_is_who_the_switch_had_on(real_switchboard: Any) -> None:
    """Half of the users, an early one and the staff; not who has the flag without its master."""
    people = [make_user(f"{number}@school.example") for number in range(20)]
    share(100, MASTER)
    share(50, CALENDAR)
    salt = Switchboard.objects.get().salt.bytes
    early = next(one for one in people if bucket_of(salt, f"u:{one.pk}") >= 5000)
    runner.set_early(
        flag=CALENDAR, staff=True, superusers=False, users=[early], actor=PERSON, reason="x"
    )
    staff = make_user("staff@school.example", is_staff=True)
    from rollback import switchboard

    everybody = [*people, staff]
    expected = {one.pk for one in everybody if switchboard.is_on(CALENDAR, one)}
    assert early.pk in expected
    assert staff.pk in expected
    assert 2 < len(expected) < len(everybody)
    incident = roll_back(CALENDAR)
    assert set(affected.exposed(incident)) == expected
    assert not any(switchboard.is_on(CALENDAR, one) for one in everybody)


def test_nobody_was_exposed_below_a_master_that_was_off(student: Student) -> None:
    share(100, CALENDAR)
    incident = roll_back(CALENDAR)
    assert affected.exposed(incident) == []
    assert affected.freeze(incident) == {"all": 0}
    assert affected.is_frozen(incident)


def test_taking_more_away_later_adds_people_and_removes_none(student: Student) -> None:
    opened = incidents.open_case(title="Complaints", flags=[API], actor=PERSON, cause="six")
    assert opened is not None
    assert affected.freeze(opened) == {"all": 0}
    share(100)
    runner.take_away(incident=opened.pk, flags=[CALENDAR], actor=PERSON, reason="decided")
    assert not affected.is_frozen(opened)
    assert affected.freeze(opened) == {"all": 1, "exposed": 1}
    assert [event.payload["counts"]["all"] for event in opened.events.filter(kind="people")] == [
        0,
        1,
    ]


def test_ten_thousand_people_are_a_handful_of_statements(
    course: Course, django_assert_max_num_queries: Any
) -> None:
    share(100)
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO enrollment_user (email, password, first_name, last_name, is_superuser, is_staff,
                   is_active, date_joined)
               SELECT n || '@many.example', '!', 'A', 'B', false, false, true, now()
                 FROM generate_series(1, 10000) n"""
        )
    incident = roll_back(CALENDAR)
    with django_assert_max_num_queries(17):
        found = affected.freeze(incident)
    assert found["exposed"] == found["all"] == User.objects.filter(is_active=True).count()


def test_figures_come_from_rows_of_the_time_it_lasted(
    course: Course, student: Student, teacher: Teacher
) -> None:
    share(100)
    today = now().date()
    DoorCount.objects.create(feature=CALENDAR, door="page", on_date=today, turned_away=7)
    DoorCount.objects.create(feature=API, door="api", on_date=today, turned_away=5)
    other = make_student("other@school.example")
    Enrollment.objects.create(student=other, course=course, created_at=now() - timedelta(hours=1))
    incident = roll_back(CALENDAR)
    draft(student, course, turned_away_at=now())
    draft(other, course, saved_at=now() - timedelta(hours=1))
    Enrollment.objects.create(student=student, course=course)
    late = Course.objects.create(title="Cello", slug="cello")
    Enrollment.objects.create(student=student, course=late, flow="office")
    DoorCount.objects.filter(feature=CALENDAR).update(turned_away=10)
    DoorCount.objects.create(feature=CALENDAR, door="api", on_date=today, turned_away=2)
    DoorCount.objects.filter(feature=API).update(turned_away=99)
    for text in ("one", "two"):
        Complaint.objects.create(kind="broken", text=text, reporter="u:1")
    found = affected.refresh(incident)
    told = {name: value for name, value in found.items() if name != "counted_at"}
    assert told == {
        "minutes": 1,
        "minutes_off": 1,
        "drafts_saved": 1,
        "drafts_moved": 1,
        "enrolled_original": 1,
        "complaints": 1,
        "turned_away": 5,
        "mails": 0,
    }
    affected.freeze(incident)
    incident = Incident.objects.get(pk=incident.pk)
    assert (
        affected.refresh(incident)["people"]["all"] == User.objects.filter(is_active=True).count()
    )


def test_the_figures_stop_with_the_incident_and_a_case_has_no_minutes_off(course: Course) -> None:
    opened = incidents.open_case(title="Complaints", flags=[], actor=PERSON, cause="six")
    assert opened is not None
    incidents.resolve(incident=opened.pk, actor=PERSON, reason="answered")
    draft(make_student(), course, saved_at=now() + timedelta(seconds=5))
    found = affected.refresh(opened)
    assert "minutes_off" not in found
    assert (found["drafts_saved"], found["turned_away"]) == (0, 0)
    opened.refresh_from_db()
    assert opened.impact == found


def test_a_plan_that_reached_nobody_has_switched_off(course: Course) -> None:
    incident = incidents.open_with_latches(title="x", flags=[CALENDAR], actor=PERSON, cause="x")
    for percent in ("50.00", "0.00"):
        assert "minutes_off" not in affected.refresh(incident)
        incidents.record(incident=incident.pk, kind="stepped", actor=PERSON, percent=percent)
    assert affected.refresh(incident)["minutes_off"] == 1


def test_users_with_any_asks_whole_chains(switches: Any) -> None:
    switches.share(50)
    snapshot = switches.snapshot
    subjects = [Subject(key=f"u:{pk}", user_id=pk) for pk in range(500)]
    found = snapshot.users_with_any([CALENDAR, API], subjects)
    assert found == {s.user_id for s in subjects if snapshot.is_on(CALENDAR, s)}
    assert snapshot.users_with_any(["ENABLE_NOTHING"], subjects) == set()
    switches.kill(MASTER)
    assert switches.snapshot.users_with_any([CALENDAR], subjects) == set()


def test_a_person_gets_a_copy_of_it_and_is_forgotten(staff: User, student: Student) -> None:
    """What they wrote is theirs; the facts beside it may be about others, and are not handed out."""
    share(100)
    runner.set_early(
        flag=CALENDAR, staff=False, superusers=False, users=[student.user], actor=PERSON, reason="x"
    )
    done = runner.roll_back(
        flags=[CALENDAR], incident="Errors", actor=runner.actor_of(staff), reason="4 % errors"
    )
    incidents.acknowledge(incident=done.incident.pk, actor=runner.actor_of(staff))
    incidents.note(incident=done.incident.pk, actor=runner.actor_of(staff), text="Seen twice.")
    affected.freeze(done.incident)
    copy = INCIDENTS.export(user=staff)
    assert [(one["title"], one["reasons"]) for one in copy["concerned"]] == [
        ("Errors", ["exposed"])
    ]
    assert [set(one) - {"incident", "at"} for one in copy["written"]] == [
        {"kind"}, {"kind", "reason"}, {"kind"}, {"kind", "text"},
    ]  # fmt: skip
    assert copy["acknowledged"][0]["title"] == "Errors"
    assert INCIDENTS.concerns(user=staff)
    INCIDENTS.erase(user=staff, now=now())
    names = done.incident.events.filter(actor=staff).values_list("actor_name", flat=True)
    assert set(names) == {f"person {staff.pk}"}
    assert not AffectedPerson.objects.filter(user=staff).exists()
    assert AffectedPerson.objects.filter(user=student.user).exists()
    assert incidents.check_chain(done.incident) is None
    assert not INCIDENTS.concerns(user=make_user("nobody@school.example"))


def test_every_open_incident_is_counted_with_the_next_tick(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases too; and one that cannot be counted stops no other."""
    student = make_student()
    draft(student, course)
    broken, opened = (
        incidents.open_case(title=title, flags=[CALENDAR], actor=PERSON, cause="six")
        for title in ("Broken", "Complaints")
    )
    assert broken is not None
    assert opened is not None
    ended = incidents.open_case(title="Ended", flags=[], actor=PERSON, cause="six")
    assert ended is not None
    incidents.resolve(incident=ended.pk, actor=PERSON, reason="answered")
    refresh = affected.refresh

    def refresh_but_one(incident: Incident) -> dict[str, Any]:
        if incident == broken:
            raise ValueError("a figure that breaks")
        return refresh(incident)

    monkeypatch.setattr(affected, "refresh", refresh_but_one)
    aftermath.look(by="a test")
    opened.refresh_from_db()
    assert reasons(opened) == {student.user.email: ["draft"]}
    assert opened.impact["people"] == {"all": 1, "draft": 1}
    assert reasons(broken) == reasons(opened)  # a figure that breaks loses no people
    assert not reasons(ended)
    monkeypatch.undo()
    aftermath.look(by="a test")
    aftermath.look(by="a test")
    assert reasons(broken) == {student.user.email: ["draft"]}
    assert broken.events.filter(kind="people").count() == 1


def test_the_figures_are_counted_again_every_two_minutes_and_not_with_every_look() -> None:
    incident = incidents.open_case(title="Odd", flags=[MASTER], actor=PERSON, cause="x")
    assert incident is not None

    def look() -> str:
        incident.refresh_from_db()
        affected.count(incident)
        incident.refresh_from_db()
        return str(incident.impact["counted_at"])

    first = look()
    assert look() == first
    earlier = (now() - timedelta(seconds=121)).isoformat()
    Incident.objects.update(impact={**incident.impact, "counted_at": earlier})
    assert look() > first
