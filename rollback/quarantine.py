"""Reading drafts, whatever is in them. What cannot be read is set aside for the office.

No page loads a draft's answers in any other way: they may be ten megabytes, or no answers at all.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import structlog
from django.db import transaction
from django.db.models import Exists, F, Func, IntegerField, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from enrollment.models import Course, Student
from enrollment.operations.enroll import live_enrollment
from enrollment.operations.lessons import one_at_a_time
from rollback.domain import reading
from rollback.domain.answers import Seen, Typed
from rollback.domain.reading import LOADED_BYTES, NEUTRAL, Poisoned
from rollback.domain.versions import Aside, State, arrive, key_of
from rollback.models import EnrollmentDraft
from rollback.models.fields import AnyJSONField

log = structlog.get_logger(__name__)

HEARD_BYTES = 4096
JSON = ("answers", "heard", "changes", "set_aside")
SET_ASIDE = _(
    "Something you saved earlier for this course could not be read. What we could save of it is "
    "here; the rest is with the school office, and you need not wait for it."
)

Drafts = QuerySet[EnrollmentDraft]


class Bytes(Func):
    """How large JSON is, without sending it to us."""

    template = "octet_length((%(expressions)s)::text)"
    output_field = IntegerField()


class Within(Func):
    """JSON of at most `most` bytes; nothing instead of more."""

    template = (
        "CASE WHEN octet_length((%(expressions)s)::text) <= %(most)s THEN %(expressions)s END"
    )
    output_field = AnyJSONField()

    def __init__(self, column: str, *, most: int) -> None:
        super().__init__(F(column), most=most)


class NeutralTexts(Func):
    """The short texts under the names we know, of JSON that is too large or too deep to be read."""

    template = f"""CASE WHEN jsonb_typeof(%(expressions)s) = 'object' THEN (
        SELECT jsonb_object_agg(key, value) FROM jsonb_each(%(expressions)s)
         WHERE key IN ({", ".join(f"'{name}'" for name in NEUTRAL)})
           AND jsonb_typeof(value) = 'string' AND octet_length(value::text) <= {LOADED_BYTES}
    ) END"""  # noqa: S608 - our own constants
    output_field = AnyJSONField()


def live() -> Drafts:
    """Of every student and course at most one; without its answers."""
    return EnrollmentDraft.objects.filter(
        finished_at__isnull=True, quarantined_at__isnull=True
    ).defer(*JSON)


def set_aside_drafts() -> Drafts:
    return EnrollmentDraft.objects.filter(
        finished_at__isnull=True, quarantined_at__isnull=False
    ).defer(*JSON)


def open_draft(*, student: Student, course: Course) -> EnrollmentDraft | None:
    """The live draft with its answers, or the one that was begun when that could not be read."""
    found = read_all(live().filter(student=student, course=course).select_related("course"))
    return found[0] if found else None


def open_or_new(*, student: Student, course: Course, now: datetime) -> EnrollmentDraft:
    """For whoever holds the student's lock. The draft is locked too: what is deleted for its age
    must not go between here and the save.
    """
    found = live().filter(student=student, course=course)
    list(found.select_for_update().values_list("pk"))
    draft = open_draft(student=student, course=course)
    return draft or EnrollmentDraft.objects.create(student=student, course=course, saved_at=now)


def read_all(drafts: Drafts) -> list[EnrollmentDraft]:
    """Each with its answers; instead of one that cannot be read, the new one that follows it."""
    return [draft for found in _loaded(drafts) if (draft := _read(found)) is not None]


def _loaded(drafts: Drafts) -> Drafts:
    earlier = set_aside_drafts().filter(student=OuterRef("student"), course=OuterRef("course"))
    return drafts.annotate(
        size=Bytes("answers"),
        raw=Within("answers", most=LOADED_BYTES),
        raw_heard=Within("heard", most=HEARD_BYTES),
        raw_changes=Within("changes", most=LOADED_BYTES),
        raw_aside=Within("set_aside", most=LOADED_BYTES),
        has_earlier=Exists(earlier),
    )


def _read(draft: Any) -> EnrollmentDraft | None:
    found = _answers(draft)
    if isinstance(found, Poisoned):
        return _set_aside(draft, found)
    draft.answers, draft.heard = found, reading.heard(draft.raw_heard)
    draft.changes, draft.set_aside = (
        reading.changes(draft.raw_changes, version=draft.version),
        reading.asides(draft.raw_aside),
    )
    draft.follows_unreadable = draft.has_earlier
    return cast(EnrollmentDraft, draft)


def _answers(row: Any) -> dict[str, str] | Poisoned:
    return reading.read(row.raw, aside=row.raw_aside, version=row.answers_version, size=row.size)


@transaction.atomic
def _set_aside(unreadable: Any, poisoned: Poisoned) -> EnrollmentDraft | None:
    """:returns: the new live draft with what could be salvaged, as old as the other, and with what
    pages that are open meanwhile have seen of it.
    """
    student, course = unreadable.student, unreadable.course
    one_at_a_time(student=student)
    this_one = live().filter(pk=unreadable.pk)
    if not this_one.update(quarantined_at=Now(), problem=poisoned.why):
        # Another page was faster, and has begun the new one; or the student has just enrolled.
        return open_draft(student=student, course=course)
    log.error("draft.set_aside", draft=unreadable.pk, problem=str(poisoned.why))
    draft = EnrollmentDraft.objects.create(
        student=student,
        course=course,
        answers=_salvaged(unreadable, poisoned),
        version=unreadable.version,
        changes=reading.changes(unreadable.raw_changes, version=unreadable.version),
        set_aside=reading.asides(unreadable.raw_aside),
        heard=reading.heard(unreadable.raw_heard),
        step=unreadable.step,
        started_at=unreadable.started_at,
        saved_at=unreadable.saved_at,
        turned_away_at=unreadable.turned_away_at,
        reminded_at=unreadable.reminded_at,
        reminder_tries=unreadable.reminder_tries,
        reminder_next_at=unreadable.reminder_next_at,
    )
    draft.follows_unreadable = True
    return draft


def _salvaged(unreadable: EnrollmentDraft, poisoned: Poisoned) -> dict[str, str]:
    if poisoned.salvaged:
        return dict(poisoned.salvaged)
    # It may not have been loaded at all.
    row = EnrollmentDraft.objects.filter(pk=unreadable.pk)
    texts = row.values_list(NeutralTexts(F("answers")), flat=True).get()
    return reading.salvage(texts or {})


class NothingToContinue(Exception):
    """The student is enrolled in the course by now."""


@transaction.atomic
def give_back(unreadable: EnrollmentDraft, *, now: datetime) -> bool:
    """Try again to read what was set aside, and put it under what the student has typed since.

    Where the student typed without having seen the earlier text, both are kept for a choice.

    :returns: whether all of it could be read; then nothing is left to be set aside.
    :raises NothingToContinue:
    :raises AnswersTooLarge: both together are more than is kept.
    """
    student, course = unreadable.student, unreadable.course
    one_at_a_time(student=student)
    if live_enrollment(student=student, course=course):
        raise NothingToContinue
    row: Any = _loaded(set_aside_drafts()).get(pk=unreadable.pk)
    found = _answers(row)
    is_whole = not isinstance(found, Poisoned)
    earlier = _salvaged(row, found) if isinstance(found, Poisoned) else found
    draft = open_or_new(student=student, course=course, now=now)
    _put_under(draft, earlier, reading.asides(row.raw_aside), now=now)
    if is_whole:
        row.delete()
    return is_whole


def _put_under(
    draft: EnrollmentDraft, earlier: Mapping[str, str], asides: list[Aside], *, now: datetime
) -> None:
    """As a save of its own, so that no page that is open meanwhile types over it unseen."""
    typed = {name for name, text in draft.answers.items() if text}
    seen_by_student = reading.salvage(earlier)
    given = {n: text for n, text in earlier.items() if n not in typed or n not in seen_by_student}
    known = {key_of(one) for one in draft.set_aside}
    before = State(
        answers=draft.answers,
        version=draft.version,
        changes=draft.changes,
        set_aside=[*(one for one in asides if key_of(one) not in known), *draft.set_aside],
    )
    unseen = {name: Seen(0, "") for name in given if name in typed}
    after = arrive(before, Typed(answers=given, seen=unseen), at=now.isoformat()).state
    draft.answers, draft.version = dict(after.answers), after.version
    draft.changes, draft.set_aside = dict(after.changes), list(after.set_aside)
    draft.save(update_fields=["answers", "version", "changes", "set_aside"])
