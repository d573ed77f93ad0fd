"""Drafts that nothing of ours has written."""

from datetime import UTC, datetime
from typing import Any

from django.db import connection

from enrollment.models import Course, Student
from rollback import drafts
from rollback.models import EnrollmentDraft

NOW = datetime(2026, 11, 30, 14, 2, tzinfo=UTC)


def poison(
    student: Student,
    course: Course,
    answers: str,
    *,
    heard: str = "{}",
    changes: str = "{}",
    aside: str = "[]",
    **columns: Any,
) -> EnrollmentDraft:
    """Written by SQL, past everything of ours."""
    draft = EnrollmentDraft.objects.create(student=student, course=course, saved_at=NOW, **columns)
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE rollback_enrollmentdraft
                  SET answers = %s::jsonb, heard = %s::jsonb, changes = %s::jsonb,
                      set_aside = %s::jsonb
                WHERE id = %s""",
            [answers, heard, changes, aside, draft.pk],
        )
    return draft


def the_live_one(student: Student, course: Course) -> EnrollmentDraft:
    found = drafts.open_draft(student=student, course=course)
    assert found is not None
    return found
