"""A school with something in every file of the export."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from enrollment.models import (
    Course,
    CourseUnit,
    Enrollment,
    Lesson,
    LessonChange,
    MakeUpCredit,
    Message,
    MessageAccess,
    Reader,
    Student,
    Teacher,
    UnitDone,
)
from holidays.models import Holiday, Region, TeacherRegion
from rollback.models import NoReminders
from scheduling.models import (
    AvailabilityException,
    AvailabilityRule,
    BookingPolicy,
    TimeOff,
    WaitlistEntry,
)
from tests.conftest import make_student, make_teacher, make_user
from tests.rollback.poison import poison

NOW = datetime(2026, 3, 2, 9, 30, 15, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
# Deeper than Python reads, and a number longer than it reads.
DEEP = '{"note": ' + "[" * 2000 + "]" * 2000 + ', "n": ' + "7" * 5000 + "}"


def a_lesson(
    *, student: Student, teacher: Teacher, course: Course, starts: datetime, **more: Any
) -> Lesson:
    return Lesson.objects.create(
        student=student,
        teacher=teacher,
        course=course,
        period=DateTimeTZRange(starts, starts + timedelta(minutes=45)),
        local_on=starts.date(),
        local_start=time(starts.hour, starts.minute),
        zone="Europe/Berlin",
        **more,
    )


def fill() -> None:
    teacher = make_teacher()
    ada, zoe = make_student(), make_student("zoe@school.example", zone="Europe/Paris")
    ada.user.language = "de"
    ada.user.save(update_fields=["language"])
    office = make_user("office@school.example", "staff", is_staff=True)
    make_user("nobody@school.example", "staff", is_staff=True)
    violin = Course.objects.create(title="Violin", slug="violin", description="=1+1", capacity=9)
    choir = Course.objects.create(title="Choir", slug="choir", seats=3, opens_on=date(2026, 1, 1))
    violin.teachers.add(teacher)
    scales = CourseUnit.objects.create(course=violin, title="Scales,  slow")
    mine = _enrolled(ada, violin, teacher)
    # Twice in one instant, both over: told apart by a number.
    for status in ("cancelled", "declined"):
        Enrollment.objects.create(
            student=zoe, course=violin, status=status, created_at=NOW - 9 * DAY, ended_at=NOW
        )
    gone = a_lesson(
        student=ada,
        teacher=teacher,
        course=violin,
        starts=NOW + DAY,
        enrollment=mine,
        status="cancelled",
    )
    instead = a_lesson(
        student=ada,
        teacher=teacher,
        course=violin,
        starts=NOW + DAY,
        enrollment=mine,
        buffer_after=10,
    )
    for one in (ada, zoe):
        a_lesson(student=one, teacher=teacher, course=choir, starts=NOW + 3 * DAY, seats=3)
    a_lesson(
        student=zoe,
        teacher=teacher,
        course=violin,
        starts=NOW + 4 * DAY,
        status="held",
        expires_at=NOW + DAY,
    )
    LessonChange.objects.create(
        lesson=instead,
        what="moved",
        at=NOW,
        by=office,
        period_before=DateTimeTZRange(NOW, NOW + DAY),
        teacher_before=teacher,
        reason="-Ada was ill",
    )
    MakeUpCredit.objects.create(
        enrollment=mine,
        lesson=gone,
        minutes=45,
        granted_by=office,
        used_lesson=instead,
        used_at=NOW,
    )
    UnitDone.objects.create(enrollment=mine, unit=scales, by=teacher.user, lesson=instead)
    _written(mine, teacher, office)
    _drafted(ada, zoe, choir)
    _planned(teacher, choir, zoe)


def _enrolled(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(
        student=student,
        course=course,
        teacher=teacher,
        status="confirmed",
        flow="scheduling",
        created_at=NOW - 5 * DAY,
        wished_times="  Mondays,\r\nafter 17:00\n",
        note="'=already harmless",
        office_note="+49 30 1",
        payment_reference="=PAY-2026-17 ",
        confirmation_sent_at=NOW,
    )


def _written(mine: Enrollment, teacher: Teacher, office: Any) -> None:
    for sender, body in ((mine.student.user, "@Marta, “hi”\n"), (teacher.user, 'Ünder, "so"')):
        Message.objects.create(enrollment=mine, sender=sender, body=body, sent_at=NOW)
    last = Message.objects.create(
        # A clock that went back: a thread is in the order of its rows all the same.
        enrollment=mine,
        sender=teacher.user,
        body="…",
        sent_at=NOW - DAY,
    )
    Reader.objects.create(enrollment=mine, user=mine.student.user, seen_to=last.pk - 1)
    Reader.objects.create(
        enrollment=mine, user=teacher.user, seen_to=last.pk, told_to=last.pk, notice_next_at=NOW
    )
    MessageAccess.objects.create(enrollment=mine, user=office, reason="Asked to", opened_at=NOW)


def _drafted(ada: Student, zoe: Student, course: Course) -> None:
    poison(ada, course, DEEP, heard='"\\u00fc"', started_at=NOW)
    poison(zoe, course, '{"note": "=1", "slot": null}', aside="[7]", started_at=NOW)
    NoReminders.objects.create(student=zoe, since=NOW)


def _planned(teacher: Teacher, course: Course, zoe: Student) -> None:
    AvailabilityRule.objects.create(teacher=teacher, weekday=0, starts=time(9), ends=time(0))
    AvailabilityException.objects.create(teacher=teacher, day_on=NOW.date(), note="in Graz")
    TimeOff.objects.create(teacher=teacher, period=DateTimeTZRange(NOW, NOW + DAY), reason="knee")
    BookingPolicy.objects.create(teacher=teacher, buffer_after=10)
    BookingPolicy.objects.create(automatic_moves=True)
    WaitlistEntry.objects.create(student=zoe, course=course, created_at=NOW)
    region = Region.objects.create(country="DE", subdivision="BY", is_school=True)
    TeacherRegion.objects.create(teacher=teacher, region=region)
    closed = Holiday.objects.create(
        name="Founders' day", first_on=NOW.date(), last_on=NOW.date(), scope="teachers"
    )
    closed.teachers.add(teacher)
    closed.courses.add(course)
