"""Keeping what a student has typed. The only room the feature apps may use."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from enrollment.models import Course, Enrollment, Student, Teacher
from enrollment.operations.enroll import live_enrollment
from enrollment.operations.lessons import one_at_a_time
from enrollment.queries.clashes import clashing_lesson, lesson_length
from enrollment.sockets import Doubt
from rollback import quarantine
from rollback.domain import answers as pure
from rollback.domain import versions
from rollback.domain.answers import Typed
from rollback.domain.reading import instant
from rollback.domain.versions import Aside, State
from rollback.models import EnrollmentDraft as EnrollmentDraft

PAGES = 8
ASKED = ("slot", "teacher", "wished_times", "note")
# Not whether a reminder was sent: that is being written meanwhile, without the student's lock.
SAVED = (
    "answers",
    "answers_version",
    "version",
    "changes",
    "set_aside",
    "heard",
    "step",
    "turned_away_at",
    "saved_at",
)


class DraftRefused(Exception):
    """Nothing was saved; the message is a sentence for the student."""


class DraftTooLarge(DraftRefused):
    """More than the 64 KB that are kept."""


@transaction.atomic
def save(
    *,
    student: Student,
    course: Course,
    answers: Mapping[str, str],
    now: datetime,
    step: str = "",
    turned_away: bool = False,
) -> EnrollmentDraft:
    """Merge `answers`, as they were posted, into the student's live draft for the course.

    What `rollback.domain.versions` refuses is set aside; the draft's `arrival` tells. A save that
    a later one of the same page has overtaken changes nothing.

    :raises DraftRefused:
    """
    # enroll() takes this lock first, too: either the enrollment is seen here, or the draft there.
    # And two tabs that save at once merge one after the other.
    one_at_a_time(student=student)
    if live_enrollment(student=student, course=course):
        raise DraftRefused(_("You are enrolled in this course; there is nothing to be saved."))
    draft = quarantine.open_or_new(student=student, course=course, now=now)
    typed = pure.read(answers)
    if typed.page and typed.count and not _is_newest(draft, typed):
        return draft
    _take_in(draft, typed, now=now)
    draft.saved_at = now
    if step:
        # Saved by the new flow itself: it is on again, and the sentence about the update is over.
        draft.step, draft.turned_away_at = step, None
    if turned_away:
        draft.turned_away_at = now
    draft.save(update_fields=SAVED)
    return draft


def _is_newest(draft: EnrollmentDraft, typed: Typed) -> bool:
    """Also notes it. Of the pages that are open at once, the last few are remembered."""
    if typed.count <= draft.heard.get(typed.page, 0):
        return False
    heard = {page: count for page, count in draft.heard.items() if page != typed.page}
    draft.heard = dict([*heard.items(), (typed.page, typed.count)][-PAGES:])
    return True


def _take_in(draft: EnrollmentDraft, typed: Typed, *, now: datetime) -> None:
    words = _slots_set_aside(draft) if typed.choices else {}
    try:
        arrival = versions.arrive(state_of(draft), typed, at=now.isoformat(), words=words)
    except pure.AnswersTooLarge as error:
        raise DraftTooLarge(
            _("This is too long to be saved: at most 64 KB in all. Please shorten the text.")
        ) from error
    draft.arrival, state = arrival, arrival.state
    draft.answers, draft.answers_version = dict(state.answers), pure.VERSION
    draft.version, draft.changes = state.version, dict(state.changes)
    draft.set_aside = list(state.set_aside)


def settle(
    *, student: Student, course: Course, posted: Mapping[str, str], now: datetime
) -> Mapping[str, str]:
    """What was posted, with the texts in it that its own choices decided for.

    :raises DraftRefused:
    """
    if not pure.read(posted).choices:
        return posted
    draft = save(student=student, course=course, answers=posted, now=now)
    decided = draft.arrival.decided if draft.arrival else ()
    return {
        **{name: text for name, text in posted.items() if not name.startswith(pure.CHOICE)},
        **{name: draft.answers[name] for name in decided},
        **{f"{pure.SEEN}{name}": str(draft.version) for name in decided},
        # This save is done; what follows in the same request is another.
        pure.SAVE_COUNT: "",
    }


def is_stale(
    *, student: Student, course: Course, posted: Mapping[str, str], whole: bool = True
) -> bool:
    """Whether something else is saved than the page knew. whole: or anything waits for a choice."""
    draft = open_draft(student=student, course=course)
    if draft is None:
        return False
    return (whole and waits(draft)) or bool(versions.stale(state_of(draft), pure.read(posted)))


def waits(draft: EnrollmentDraft) -> bool:
    """Whether the student has to choose between two texts first, of what any form here can ask.

    A field that only another release has is kept open for that one, and stops nobody.
    """
    return any(one["open"] and one["name"] in ASKED for one in draft.set_aside)


def state_of(draft: EnrollmentDraft | None) -> State:
    if draft is None:
        return State()
    return State(
        answers=draft.answers,
        version=draft.version,
        changes=draft.changes,
        set_aside=draft.set_aside,
    )


def open_draft(*, student: Student, course: Course) -> EnrollmentDraft | None:
    """The live draft, read: its answers are text by name, whatever stood in the database."""
    draft = quarantine.open_draft(student=student, course=course)
    if draft is not None:
        draft.student, draft.course = student, course
    return draft


def drafted(*, pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Of these students and courses, by id, those with a live draft."""
    students = {student for student, _course in pairs}
    found = quarantine.live().filter(student__in=students).values_list("student_id", "course_id")
    return set(found) & set(pairs)


def finish(*, enrollment: Enrollment) -> None:
    """Called in the transaction that made the enrollment, whichever flow did."""
    quarantine.live().filter(student=enrollment.student, course=enrollment.course).update(
        finished_at=enrollment.created_at, enrollment=enrollment
    )


def for_original_form(draft: EnrollmentDraft) -> dict[str, str]:
    """The draft as initial values of the original form; the slot becomes words."""
    answers: dict[str, str] = dict(draft.answers)
    teacher = _teacher(answers.get("teacher", ""), course=draft.course)
    slot = answers.get("slot", "")
    words = slot_in_words(slot, teacher=teacher, course=draft.course) if slot else ""
    return {
        "teacher": str(teacher.pk) if teacher else "",
        "wished_times": pure.wished_times(answers, words),
        "note": answers.get("note", ""),
    }


def stamps(
    draft: EnrollmentDraft | None,
    *,
    shown: Mapping[str, str],
    posted: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Hidden fields for a form whose fields are the names in `shown`: what it was filled from."""
    return versions.stamps(state_of(draft), names=shown, shown=shown, posted=posted)


def refreshed(
    draft: EnrollmentDraft | None, posted: Mapping[str, str], *, shown: Mapping[str, str]
) -> dict[str, str]:
    """A posted form that comes back; where only another page changed something, with that."""
    return versions.refreshed(state_of(draft), posted, shown)


def doubts(
    draft: EnrollmentDraft | None,
    *,
    names: Iterable[str],
    now: datetime,
    posted: Mapping[str, str] | None = None,
) -> tuple[Doubt, ...]:
    """What waits for the student's choice in a form with the fields `names`, one for each.

    posted: what that form shows already. Else it shows what is saved.
    """
    if draft is None:
        return ()
    waiting = ((name, state_of(draft).waiting(name)) for name in names)
    return tuple(
        _doubt(draft, name, asides, now=now, posted=posted or {})
        for name, asides in waiting
        if asides
    )


def _doubt(
    draft: EnrollmentDraft,
    name: str,
    asides: Sequence[Aside],
    *,
    now: datetime,
    posted: Mapping[str, str],
) -> Doubt:
    """The form's own text, if that is what was refused; else the oldest."""
    own = next((one for one in asides if _is_of(one, posted)), None)
    aside = own or asides[0]
    zone = zone_of(draft.student)
    saved = _readable(draft, name, draft.answers, zone=zone)
    kept = _readable(draft, name, versions.texts_of(aside), zone=zone)
    at = draft.changes.get(name, aside)["at"] if own else aside["at"]
    return Doubt(
        name=name,
        label=_label(name),
        here=kept if own else saved,
        there=saved if own else kept,
        there_at=_moment(at, zone=zone, now=now),
        saved=own is not None,
        reference=f"{'saved' if own else 'aside'}.{draft.version}.{versions.key_of(aside)}",
        joins=name not in versions.TOGETHER,
    )


def _is_of(aside: Aside, posted: Mapping[str, str]) -> bool:
    typed = pure.read(posted)
    if typed.page:
        return aside["page"] == typed.page
    text = typed.answers.get(aside["name"])
    return text is not None and pure.same(text, aside["value"])


def slots_as_doubts(draft: EnrollmentDraft, *, now: datetime) -> tuple[Doubt, ...]:
    """For the original form, which has no slots: the words of one may be added to the wishes."""
    return tuple(
        replace(
            doubt,
            name="wished_times",
            here=for_original_form(draft)["wished_times"],
            replaces=False,
            joins=True,
        )
        for doubt in doubts(draft, names=["slot"], now=now)
    )


def _slots_set_aside(draft: EnrollmentDraft) -> dict[str, str]:
    return {
        versions.key_of(one): _readable(draft, "slot", versions.texts_of(one))
        for one in draft.set_aside
        if one["open"] and one["name"] == "slot"
    }


def _readable(
    draft: EnrollmentDraft, name: str, answers: Mapping[str, str], *, zone: ZoneInfo | None = None
) -> str:
    text = answers.get(name, "")
    if name not in versions.TOGETHER or not text:
        return text
    teacher = _teacher(answers.get("teacher", ""), course=draft.course)
    if name == "teacher":
        return str(teacher or text)
    return slot_in_words(text, teacher=teacher, course=draft.course, zone=zone)


def _label(name: str) -> str:
    return {
        "slot": _("Time of your first lesson"),
        "teacher": _("Teacher"),
        "wished_times": _("Times that suit you"),
        "note": _("Anything we should know"),
    }.get(name, name)


def _moment(at: str, *, zone: ZoneInfo, now: datetime) -> str:
    """14:02, and the day where it is another one."""
    there = datetime.fromisoformat(at).astimezone(zone)
    time = time_format(there, "H:i")
    if there.date() == now.astimezone(zone).date():
        return time
    day = date_format(there, pgettext("date format", "j F"))
    return f"{day}, {time}"


def about_earlier(draft: EnrollmentDraft) -> tuple[str, ...]:
    """Sentences for every page that shows the draft."""
    return (str(quarantine.SET_ASIDE),) if draft.follows_unreadable else ()


def notices(draft: EnrollmentDraft, *, now: datetime) -> tuple[str, ...]:
    """What is true no more of a draft that is gone on with in the original form, in words."""
    chosen = draft.answers.get("teacher", "")
    teacher = _teacher(chosen, course=draft.course)
    if chosen and teacher is None:
        return (
            _(
                "The teacher you chose does not teach this course any more. "
                "Choose another, or leave it to the office."
            ),
        )
    slot = draft.answers.get("slot", "")
    start = instant(slot)
    if teacher is None or start is None or not _is_gone(draft, teacher, start, now=now):
        return ()
    words = slot_in_words(slot, teacher=teacher, course=draft.course)
    gone = _(
        "Your %(slot)s is gone. Say what else suits you, and the office finds the nearest time."
    )
    return (gone % {"slot": words},)


def _is_gone(draft: EnrollmentDraft, teacher: Teacher, start: datetime, *, now: datetime) -> bool:
    """It has begun, or somebody has it; the student's own hold does not count."""
    if start <= now:
        return True
    clash = clashing_lesson(
        teacher=teacher,
        student=draft.student,
        starts_at=start,
        ends_at=start + lesson_length(draft.course),
        now=now,
        course=draft.course,
    )
    own = clash is not None and clash.student_id == draft.student_id
    return clash is not None and not (own and clash.status == "held")


def slot_in_words(
    slot: str, *, teacher: Teacher | None, course: Course, zone: ZoneInfo | None = None
) -> str:
    """On the clock of `zone`, the teacher's, or the school's; what cannot be read stays as it was."""
    start = instant(slot)
    if start is None:
        return slot
    clock = zone or (ZoneInfo(teacher.zone) if teacher else timezone.get_default_timezone())
    utc = start.astimezone(UTC)
    start, end = (
        moment.astimezone(clock) for moment in (utc, utc + timedelta(minutes=course.lesson_minutes))
    )
    day = date_format(start, pgettext("date format", "l j F Y"))
    times = f"{time_format(start, 'H:i')}–{time_format(end, 'H:i')}"
    words = f"{day}, {times} ({clock.key})"
    if teacher is None:
        return words
    return " ".join([words, _("with %(teacher)s") % {"teacher": teacher}])


def zone_of(student: Student) -> ZoneInfo:
    return ZoneInfo(student.zone)


def _teacher(value: str, *, course: Course) -> Teacher | None:
    if not value.isdecimal() or len(value) > 18:
        return None
    return course.teachers.filter(pk=int(value)).first()
