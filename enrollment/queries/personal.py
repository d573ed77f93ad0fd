"""What the school keeps about one person, as data with readable keys. Documented in docs/privacy.md."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet

from enrollment import personal
from enrollment.models import Enrollment, Lesson, LessonChange, Student, Teacher, User

FORMAT = 1


def copy_of(*, user: User, now: datetime, for_office: bool = False) -> dict[str, Any]:
    """Everything, by contributor. The office's copy holds its own notes too, and no conversation:
    to read one costs it a reason, on a page of its own.

    :raises OutOfReach: (enrollment.personal) it would not be whole
    """
    parts = personal.registered()
    left_out = [part for part in parts if (part.own_only if for_office else part.office_only)]
    about = {
        "format": FORMAT,
        "made_at": now,
        "person": user.pk,
        "ask_the_person_for" if for_office else "ask_the_office_for": [
            str(part.kept) for part in left_out
        ],
    }
    with personal.within_reach():
        return {"about": about} | {
            part.name: part.export(user=user) for part in parts if part not in left_out
        }


def account(*, user: User) -> Mapping[str, Any]:
    addresses = EmailAddress.objects.filter(user=user).order_by("pk")
    return {
        "id": user.pk,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "language": user.language,
        "joined_at": user.date_joined,
        "last_login_at": user.last_login,
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
        "groups": sorted(user.groups.values_list("name", flat=True)),
        "permissions": sorted(user.user_permissions.values_list("codename", flat=True)),
        "addresses": list(addresses.values("email", "verified", "primary")),
        "done_in_the_office": [
            _entry(entry) for entry in _logged(LogEntry.objects.filter(user=user))
        ],
        "changed_by_the_office": [_entry(entry) for entry in _logged(office_log_about(user))],
    }


def _logged(entries: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
    return entries.select_related("content_type").order_by("action_time", "pk")


def _entry(entry: LogEntry) -> dict[str, Any]:
    """Without the row's name and who it was: those are other people's."""
    kind = entry.content_type.model if entry.content_type else ""
    return {
        "at": entry.action_time,
        "action": entry.get_action_flag_display(),
        "what": kind,
        "id": entry.object_id,
    }


def office_log_about(user: User) -> QuerySet[LogEntry]:
    """The admin's log of this person's own rows; it repeats their names."""
    enrollments = Enrollment.objects.filter(student__user=user)
    lessons = Lesson.objects.filter(student__user=user)
    rows = (
        (User, [user.pk]),
        (Student, Student.objects.filter(user=user).values_list("pk", flat=True)),
        (Teacher, Teacher.objects.filter(user=user).values_list("pk", flat=True)),
        (Enrollment, enrollments.values_list("pk", flat=True)),
        (Lesson, lessons.values_list("pk", flat=True)),
        (EmailAddress, EmailAddress.objects.filter(user=user).values_list("pk", flat=True)),
    )
    # Also rows that are gone meanwhile: an address that was replaced, for one.
    about = Q(object_repr__icontains=user.email)
    for teacher in Teacher.objects.filter(user=user):
        # “Moved from … with …” stands at the students' lessons.
        kind = ContentType.objects.get_for_model(Lesson)
        about |= Q(content_type=kind, change_message__contains=teacher.display_name)
    for model, keys in rows:
        kind = ContentType.objects.get_for_model(model)
        about |= Q(content_type=kind, object_id__in=[str(key) for key in keys])
    return LogEntry.objects.filter(about)


def school(*, user: User) -> Mapping[str, Any]:
    student = Student.objects.filter(user=user).first()
    teacher = Teacher.objects.filter(user=user).first()
    return {
        "student": student and {"id": student.pk, "zone": student.zone},
        "enrollments": [_enrollment(one) for one in _enrollments(student__user=user)],
        "lessons": [_lesson(one) for one in _lessons(student__user=user)],
        "teacher": teacher and _teacher(teacher),
        "enrollments_with_you_as_teacher": [
            {
                "id": one.pk,
                "course": one.course.title,
                "status": one.status,
                "created_at": one.created_at,
            }
            for one in _enrollments(teacher__user=user)
        ],
        "lessons_given": [_lesson(one) for one in _lessons(teacher__user=user)],
    }


def lesson_changes(*, user: User) -> Mapping[str, Any]:
    """What happened to lessons of this person. The reason only where it is their own: what others
    wrote may name others."""
    theirs = (
        Q(lesson__student__user=user)
        | Q(lesson__teacher__user=user)
        | Q(teacher_before__user=user)
        | Q(by=user)
    )
    return {
        "changes": [
            {
                "lesson": change.lesson_id,
                "what": change.what,
                "at": change.at,
                "started_at_before": change.period_before.lower if change.period_before else None,
                "by_you": change.by_id == user.pk,
                "reason": change.reason if change.by_id == user.pk else "",
            }
            for change in LessonChange.objects.filter(theirs).order_by("at", "pk")
        ]
    }


def office_notes(*, user: User) -> Mapping[str, Any]:
    noted = Enrollment.objects.filter(student__user=user).exclude(office_note="").order_by("pk")
    return {"enrollments": list(noted.values("id", "office_note"))}


def _enrollments(**whose: User) -> QuerySet[Enrollment]:
    found = Enrollment.objects.filter(**whose).select_related("course", "teacher")
    return found.order_by("created_at", "pk")


def _lessons(**whose: User) -> QuerySet[Lesson]:
    return (
        Lesson.objects.filter(**whose).select_related("course", "teacher").order_by("period", "pk")
    )


def _teacher(teacher: Teacher) -> dict[str, Any]:
    return {
        "id": teacher.pk,
        "display_name": teacher.display_name,
        "zone": teacher.zone,
        "about": teacher.bio,
        "courses": sorted(teacher.courses.values_list("title", flat=True)),
    }


def _enrollment(enrollment: Enrollment) -> dict[str, Any]:
    return {
        "id": enrollment.pk,
        "course": enrollment.course.title,
        "teacher": enrollment.teacher and enrollment.teacher.display_name,
        "status": enrollment.status,
        "came_through": enrollment.flow,
        "wished_times": enrollment.wished_times,
        "note": enrollment.note,
        "payment_reference": enrollment.payment_reference,
        "created_at": enrollment.created_at,
        "confirmation_sent_at": enrollment.confirmation_sent_at,
    }


def _lesson(lesson: Lesson) -> dict[str, Any]:
    return {
        "id": lesson.pk,
        "enrollment": lesson.enrollment_id,
        "course": lesson.course.title,
        "teacher": lesson.teacher.display_name,
        "status": lesson.status,
        "starts_at": lesson.starts_at,
        "ends_at": lesson.ends_at,
        "agreed": {"date": lesson.local_on, "time": lesson.local_start, "zone": lesson.zone},
        "held_until": lesson.expires_at,
    }
