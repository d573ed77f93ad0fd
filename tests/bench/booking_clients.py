"""So many clients, each a process with a connection of its own, who book with one teacher at once.

Four of them at a time want times that overlap, two of these the same one, so that exactly one can
have it. Reads what to do from its one argument and writes a line of JSON: what each try took, the
lessons that were acknowledged, how many were refused, and the seconds from the first to the last.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import django

LENGTH, BETWEEN = timedelta(minutes=45), timedelta(minutes=90)
# What the four of a group want, after the time that is theirs: all overlap.
SHIFTS = tuple(timedelta(minutes=minutes) for minutes in (0, 0, 15, 30))
GROUP = len(SHIFTS)
# Django knows no ON CONFLICT DO NOTHING that returns the id.
INSERT = """
    INSERT INTO enrollment_lesson (course_id, teacher_id, student_id, period, local_on,
                                   local_start, zone, status)
    VALUES (%s, %s, %s, tstzrange(%s, %s), %s, %s, 'UTC', 'planned')
    ON CONFLICT DO NOTHING
    RETURNING id
"""
Book = Callable[[datetime], int | None]


def main() -> None:
    django.setup()
    asked = json.loads(sys.argv[1])
    clients, tries = asked["clients"], asked["tries"]
    first = datetime.fromisoformat(asked["first"])
    go, gate = os.pipe()
    ready, told = os.pipe()
    wished = [wishes(number, clients, first, tries) for number in range(clients)]
    way = WAYS[asked["way"]]
    ours = [_fork(way, number, wished[number], (go, told), gate) for number in range(clients)]
    os.close(told)
    for _ in ours:
        if not os.read(ready, 1):
            raise RuntimeError("A client ended before it began; its reason stands above.")
    started = time.perf_counter()
    os.close(gate)
    answers = [_answer(end) for end in ours]
    seconds = time.perf_counter() - started
    sys.stdout.write(json.dumps({"seconds": seconds, "clients": answers}) + "\n")


def _answer(end: int) -> Any:
    with os.fdopen(end) as file:
        return json.loads(file.read())


def _fork(
    way: Callable[[int], Book],
    number: int,
    wished: list[datetime],
    ends: tuple[int, int],
    gate: int,
) -> int:
    """:returns: where its answer is read. All begin when `gate` is closed."""
    go, told = ends
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        return read
    os.close(gate)
    book = way(number)
    os.write(told, b"r")
    os.close(told)
    os.read(go, 1)
    with os.fdopen(write, "w") as file:
        file.write(json.dumps(_booked(book, wished)))
    os._exit(0)


def wishes(number: int, clients: int, first: datetime, tries: int) -> list[datetime]:
    """Each group has times of its own, apart from those of all others."""
    groups = clients // GROUP
    group, place = divmod(number, GROUP)
    return [first + (turn * groups + group) * BETWEEN + SHIFTS[place] for turn in range(tries)]


def _booked(book: Book, wished: list[datetime]) -> dict[str, Any]:
    taken, made = [], []
    for starts_at in wished:
        start = time.perf_counter()
        found = book(starts_at)
        taken.append(time.perf_counter() - start)
        if found is not None:
            made.append(found)
    return {"taken": taken, "made": made}


def _operation(number: int) -> Book:
    """The way every page and program books."""
    from enrollment.models import Enrollment, Teacher
    from enrollment.operations.lessons import SlotTaken
    from scheduling.operations.booking import book_lesson

    teacher = Teacher.objects.get()
    rows = Enrollment.objects.select_related("student__user", "course").order_by("pk")
    enrollment = rows[number]

    def book(starts_at: datetime) -> int | None:
        by, now = enrollment.student.user, datetime.now(UTC)
        try:
            lesson = book_lesson(
                enrollment=enrollment, teacher=teacher, starts_at=starts_at, by=by, now=now
            )
        except SlotTaken:
            return None
        return lesson.pk

    return book


def _checked(number: int) -> Book:
    """As others do: is it free, then it is written."""
    from enrollment.models import Enrollment, Lesson, Teacher
    from scheduling.queries.availability import free_slots

    teacher = Teacher.objects.get()
    rows = Enrollment.objects.select_related("student__user", "course").order_by("pk")
    enrollment = rows[number]

    def book(starts_at: datetime) -> int | None:
        student, course = enrollment.student, enrollment.course
        now = datetime.now(UTC)
        if not free_slots(teacher=teacher, course=course, student=student, now=now, only=starts_at):
            return None
        lesson = Lesson.objects.create(
            teacher=teacher,
            course=course,
            student=student,
            enrollment=enrollment,
            period=(starts_at, starts_at + LENGTH),
            local_on=starts_at.date(),
            local_start=starts_at.time(),
            zone="UTC",
        )
        return lesson.pk

    return book


def _statement(number: int) -> Book:
    """The one statement that decides, without Django and all that is asked before."""
    from django.db import connection

    from enrollment.models import Enrollment, Teacher

    teacher, enrollment = Teacher.objects.get().pk, Enrollment.objects.order_by("pk")[number]
    known = (enrollment.course_id, teacher, enrollment.student_id)
    opened: Any = connection.connection

    def book(starts_at: datetime) -> int | None:
        row = opened.execute(
            INSERT,
            (*known, starts_at, starts_at + LENGTH, starts_at.date(), f"{starts_at:%H:%M}"),
        ).fetchone()
        return int(row[0]) if row else None

    return book


WAYS: dict[str, Callable[[int], Book]] = {
    "operation": _operation,
    "checked": _checked,
    "statement": _statement,
}


if __name__ == "__main__":
    main()
