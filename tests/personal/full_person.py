"""Somebody with a row of theirs in every table that is about people."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from enrollment.models import (
    Conflict,
    Course,
    CourseUnit,
    Enrollment,
    Lesson,
    LessonChange,
    Message,
    MessageAccess,
    Reader,
    Student,
    Teacher,
    UnitDone,
    User,
)
from enrollment.operations.tokens import make_token
from holidays.models import Holiday, Region, TeacherRegion
from rollback import incidents, runner
from rollback.models import (
    AffectedPerson,
    Banner,
    Complaint,
    DeafAddress,
    EnrollmentDraft,
    Flag,
    IncidentAction,
    Maintenance,
    MessageTemplate,
    NoNews,
    NoReminders,
    Notification,
    OnCallShift,
    Page,
    PageCall,
    PublicUpdate,
    Sending,
    Stakeholder,
    TriggerVersion,
)
from scheduling.models import (
    AvailabilityException,
    AvailabilityRule,
    BookingPolicy,
    TeacherReminder,
    TimeOff,
)
from scheduling.operations.feeds import make_feed


@dataclass(frozen=True, kw_only=True)
class Learning:
    enrollment: Enrollment
    past: Lesson
    coming: Lesson
    held: Lesson


def lesson(
    *, student: Student, teacher: Teacher, course: Course, starts: datetime, **fields: Any
) -> Lesson:
    values: dict[str, Any] = {
        "period": DateTimeTZRange(starts, starts + timedelta(minutes=45)),
        "local_on": starts.date(),
        "local_start": time(starts.hour),
        "zone": "Europe/Berlin",
        **fields,
    }
    return Lesson.objects.create(student=student, teacher=teacher, course=course, **values)


def fill_student(student: Student, *, teacher: Teacher, course: Course, now: datetime) -> Learning:
    """Enrolled, with a lesson that was and one to come, a hold, and a draft for it."""
    other = Course.objects.create(title="Choir", slug="choir")
    enrollment = Enrollment.objects.create(
        student=student,
        course=course,
        teacher=teacher,
        status="confirmed",
        wished_times="Mondays, after my therapy",
        note="I am Ada, and shy",
        office_note="Her sister pays",
        payment_reference="PAY-2026-17",
    )
    EmailAddress.objects.create(
        user=student.user, email=student.user.email, primary=True, verified=True
    )
    EnrollmentDraft.objects.create(
        student=student, course=other, answers={"note": "half a sentence"}, saved_at=now
    )
    NoReminders.objects.create(student=student, since=now)
    _write_letters(student, teacher=teacher)
    Complaint.objects.create(
        kind="wrong",
        text="Ada's lesson is on the wrong day",
        path="/calendar/",
        by=student.user,
        reporter=f"u:{student.user.pk}",
        done_at=now,
        done_by=teacher.user,
        done_by_name=teacher.user.email,
        answer="Called Ada back",
    )
    unit = CourseUnit.objects.create(course=course, title="Scales")
    UnitDone.objects.create(enrollment=enrollment, unit=unit, by=teacher.user)
    Message.objects.create(enrollment=enrollment, sender=student.user, body="I am shy, says Ada")
    Message.objects.create(enrollment=enrollment, sender=teacher.user, body="Well done, Ada")
    MessageAccess.objects.create(
        enrollment=enrollment, user=teacher.user, reason="Ada's mother asked"
    )
    Reader.objects.create(enrollment=enrollment, user=student.user)
    make_token(user=student.user, name="Ada's phone", lifetime=timedelta(days=9), now=now)
    make_feed(user=student.user, name="Ada's watch", language="en", now=now)
    LogEntry.objects.create(
        user=teacher.user,
        object_id=str(student.user.pk),
        content_type=ContentType.objects.get_for_model(User),
        action_flag=CHANGE,
        object_repr=str(student),
        change_message="Ada's name corrected",
    )
    Conflict.objects.create(
        kind="x",
        key=str(student.pk),
        student=student,
        status="dismissed",
        resolved_at=now,
        resolution="Ada's sister is called Eve",
        facts={"n": 1},
    )
    who: dict[str, Any] = {"student": student, "teacher": teacher}
    day = timedelta(days=1)
    LogEntry.objects.create(
        user=teacher.user,
        object_id="999999",
        content_type=ContentType.objects.get_for_model(EmailAddress),
        action_flag=CHANGE,
        object_repr="ada@school.example",
    )
    coming = lesson(**who, course=course, starts=now + day, enrollment=enrollment)
    for by, reason in ((student.user, "Ada has a toothache"), (teacher.user, "Ada was ill")):
        LessonChange.objects.create(
            lesson=coming,
            what="moved",
            by=by,
            period_before=DateTimeTZRange(now, now + day),
            teacher_before=teacher,
            reason=reason,
        )
    return Learning(
        enrollment=enrollment,
        past=lesson(**who, course=course, starts=now - day, enrollment=enrollment, status="done"),
        coming=coming,
        held=lesson(**who, course=other, starts=now + 2 * day, status="held", expires_at=now + day),
    )


def _write_letters(student: Student, *, teacher: Teacher) -> None:
    """To the student, to their address, and to others about them."""
    sending = Sending.objects.create(letter="moved", number=1, prepared_by_name="office")
    user, other = student.user, {"name": "Marta", "before": "Monday", "news": 'Ada Vogel: "yes"'}
    Notification.objects.create(
        sending=sending,
        user=user,
        values={"name": "Ada Vogel", "news": "Get well, Ada", "link": "https://x.example/secret"},
        state="sent",
        bounce="ada@school.example is full",
    )
    Notification.objects.create(sending=sending, email=user.email, error="ada@school.example: 550")
    Notification.objects.create(sending=sending, user=teacher.user, values=other)
    NoNews.objects.create(user=user)
    DeafAddress.objects.create(email="Ada@school.example", why="bounced", said="ada is full")
    Stakeholder.objects.create(name="Ada", email=user.email, language="en")


def fill_staff(user: User, *, now: datetime) -> None:
    """Is called, answers, writes to people and to everybody."""
    name, day = user.email, timedelta(days=1)
    incident = incidents.open_case(
        title="A case", flags=[], actor=runner.actor_of(user), cause="test"
    )
    assert incident is not None
    OnCallShift.objects.create(user=user, starts_at=now, ends_at=now + day)
    page = Page.objects.create(
        kind="incident",
        incident=incident,
        acknowledged_at=now,
        acknowledged_by=user,
        acknowledged_by_name=name,
    )
    PageCall.objects.create(page=page, level=1, user=user)
    Sending.objects.create(
        letter="enrollment",
        number=1,
        prepared_by_name=name,
        released_by=user,
        released_by_name=name,
        news={"en": "We are at it."},
    )
    MessageTemplate.objects.create(
        key="enrollment",
        language="en",
        version=1,
        subject="Saved",
        text="Saved.",
        saved_by=user,
        saved_by_name=name,
    )
    PublicUpdate.objects.create(
        incident=incident,
        state="investigating",
        headings={"en": "We look"},
        texts={"en": "We look at it."},
        published_by=user,
        published_by_name=name,
    )
    when: dict[str, Any] = {"starts_at": now, "ends_at": now + day}
    Stakeholder.objects.create(
        name="Head", email="head@school.example", language="en", added_by_name=name
    )
    Banner.objects.create(texts={"en": "Hello"}, written_by_name=name, **when)
    Maintenance.objects.create(
        headings={"en": "Work"},
        texts={"en": "We work."},
        announced_from=now,
        planned_by_name=name,
        **when,
    )


def fill_teacher(teacher: Teacher, *, now: datetime) -> None:
    """Offers hours, is away, was reminded, has features early, and has switched one."""
    AvailabilityRule.objects.create(teacher=teacher, weekday=0, starts=time(16), ends=time(18))
    TeacherReminder.objects.create(teacher=teacher, week_on=now.date())
    AvailabilityException.objects.create(
        teacher=teacher, day_on=now.date(), note="Marta plays in Graz"
    )
    TimeOff.objects.create(
        teacher=teacher,
        period=DateTimeTZRange(now + timedelta(days=90), now + timedelta(days=97)),
        reason="Marta's knee",
    )
    BookingPolicy.objects.create(teacher=teacher, buffer_after=10)
    region = Region.objects.create(country="DE", subdivision="BY")
    TeacherRegion.objects.create(teacher=teacher, region=region)
    away = Holiday.objects.create(
        name="Marta's training", first_on=now.date(), last_on=now.date(), scope="teachers"
    )
    away.teachers.add(teacher)
    flag = Flag.objects.get(name="ENABLE_CALENDAR_DISPLAY")
    flag.users.add(teacher.user)
    actor = runner.actor_of(teacher.user)
    done = runner.roll_back(
        flags=[flag.name], actor=actor, reason="wrong times", incident="Times are wrong"
    )
    incidents.acknowledge(incident=done.incident.pk, actor=actor)
    incidents.note(incident=done.incident.pk, actor=actor, text="Seen on two phones.")
    IncidentAction.objects.create(
        incident=done.incident, text="Test it", who=teacher.user, who_name=teacher.user.email
    )
    for user in (teacher.user, *User.objects.filter(student__isnull=False)):
        AffectedPerson.objects.create(incident=done.incident, user=user, reasons=["exposed"])
    TriggerVersion.objects.create(
        trigger_name="complaints", version=2, rule={}, actor=teacher.user,
        actor_name=teacher.user.email, reason="It rang too often",
    )  # fmt: skip
    Teacher.objects.filter(pk=teacher.pk).update(bio="Marta plays in two ensembles.")
