"""Who is enrolled in what, and every lesson of the year: half of it behind today, half ahead."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from enrollment.domain.clock import instant
from enrollment.domain.states import EnrollmentStatus, LessonStatus
from enrollment.sample.school import (
    STUDENT,
    TEACHER,
    Course,
    Person,
    courses,
    dice,
    students,
    teachers,
)

WEEK = timedelta(days=7)
HALF_YEAR = 26 * WEEK
# What is left of a teacher's week stays free, or there would be nothing to choose from.
BUSY_AT_MOST = 0.45
# Students sleep at night, wherever their teacher lives.
AWAKE = range(7, 22)
KINDS = {
    "running": 38,
    "coming": 10,
    "requested": 15,
    "completed": 23,
    "cancelled": 8,
    "declined": 6,
}
STATUS = {
    "running": EnrollmentStatus.CONFIRMED,
    "coming": EnrollmentStatus.CONFIRMED,
    "requested": EnrollmentStatus.REQUESTED,
    "completed": EnrollmentStatus.COMPLETED,
    "cancelled": EnrollmentStatus.CANCELLED,
    "declined": EnrollmentStatus.DECLINED,
}
WISHES = (
    "Mondays or Wednesdays after 17:00",
    "Saturday mornings would be best",
    "Any weekday before noon, not Fridays",
    "After school, from 15:30 on",
    "I work shifts: please call me",
    "Evenings, my time",
)
NOTES = (
    "",
    "",
    "",
    "Played for two years as a child.",
    "Exam in early summer.",
    "Needs an elevator.",
)


@dataclass(frozen=True, kw_only=True)
class Enrollment:
    student: Person
    course: Course
    teacher: Person | None
    kind: str
    enrolled_on: date
    wished_times: str = ""
    note: str = ""
    payment_reference: str = ""

    @property
    def status(self) -> str:
        return STATUS[self.kind]

    @property
    def is_live(self) -> bool:
        return self.kind in ("running", "coming", "requested")


@dataclass(frozen=True, kw_only=True)
class Lesson:
    enrollment: Enrollment
    teacher: Person
    on: date
    at: time
    status: str


@dataclass(frozen=True, kw_only=True)
class School:
    teachers: Sequence[Person]
    students: Sequence[Person]
    courses: Sequence[Course]
    enrollments: Sequence[Enrollment]
    lessons: Sequence[Lesson]


def build(*, today: date) -> School:
    """The same for the same day, to the byte."""
    staff, pupils = teachers(), students()
    offer = courses(staff, today=today)
    timetable = _Timetable(today)
    for student, course, kind in _wishes(pupils, offer):
        timetable.enroll(student, course, kind)
    return School(
        teachers=staff,
        students=pupils,
        courses=_with_edges(offer, timetable.enrollments, today=today),
        enrollments=timetable.enrollments,
        lessons=sorted(timetable.lessons, key=lambda one: (one.on, one.at, one.teacher.email)),
    )


def _wishes(
    pupils: Sequence[Person], offer: Sequence[Course]
) -> Iterator[tuple[Person, Course, str]]:
    roll = dice("wishes")
    # The last course opens later and nobody is in it.
    open_courses = offer[:-1]
    for student in pupils:
        if student.email == STUDENT:
            yield from _wishes_of_the_known_student(student, open_courses)
            continue
        count = roll.choices((1, 2, 3), (55, 33, 12))[0]
        for course in roll.sample(open_courses, count):
            yield student, course, roll.choices(list(KINDS), list(KINDS.values()))[0]


def _wishes_of_the_known_student(
    student: Person, offer: Sequence[Course]
) -> Iterator[tuple[Person, Course, str]]:
    """One of each that a page shows differently; free to enroll in everything else."""
    known = [course for course in offer if any(one.email == TEACHER for one in course.teachers)]
    others = [course for course in offer if course not in known]
    yield student, known[0], "running"
    yield student, others[0], "requested"
    yield student, others[5], "completed"


class _Timetable:
    """Grows enrollment by enrollment; nobody is ever in two places."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.roll = dice("timetable")
        self.enrollments: list[Enrollment] = []
        self.lessons: list[Lesson] = []
        self.live: Counter[str] = Counter()
        self.busy: dict[tuple[str, date], list[tuple[datetime, datetime]]] = defaultdict(list)
        self.weekly_minutes: Counter[str] = Counter()

    def enroll(self, student: Person, course: Course, kind: str) -> None:
        """With its lessons, where the kind has any; a full course or full weeks: not at all."""
        if STATUS[kind] in ("requested", "confirmed") and self.live[course.slug] >= course.capacity:
            return
        teacher = min(course.teachers, key=self._load)
        if student.email == STUDENT:
            # The two whom the pages and the tests know have lessons together.
            teacher = next((one for one in course.teachers if one.email == TEACHER), teacher)
        first, last = self._season(kind)
        enrollment = self._enrollment(student, course, teacher, kind, first)
        if first <= last and not self._teach(enrollment, teacher, first, last):
            return
        self.live[course.slug] += enrollment.is_live
        self.enrollments.append(enrollment)

    def _enrollment(
        self, student: Person, course: Course, teacher: Person, kind: str, first: date
    ) -> Enrollment:
        enrolled_on = min(first, self.today) - timedelta(days=self.roll.randint(2, 20))
        number = len(self.enrollments) + 1
        wishes = kind in ("requested", "declined")
        paid = kind in ("running", "coming", "completed")
        return Enrollment(
            student=student,
            course=course,
            teacher=None if wishes and self.roll.random() < 0.5 else teacher,
            kind=kind,
            enrolled_on=enrolled_on,
            wished_times=self.roll.choice(WISHES) if wishes else "",
            note=self.roll.choice(NOTES),
            payment_reference=f"{enrolled_on.year}-{number:05}" if paid else "",
        )

    def _season(self, kind: str) -> tuple[date, date]:
        """First and last day with lessons; the last before the first: none."""
        roll, today = self.roll, self.today
        weeks = timedelta(weeks=1)
        if kind == "running":
            return today - roll.randint(4, 26) * weeks, today + roll.randint(8, 26) * weeks
        if kind == "coming":
            first = today + timedelta(days=roll.randint(3, 28))
            return first, today + roll.randint(12, 26) * weeks
        if kind == "completed":
            first = today - roll.randint(18, 26) * weeks
            return first, first + roll.randint(8, 16) * weeks
        if kind == "cancelled":
            first = today - roll.randint(6, 20) * weeks
            return first, first + 5 * weeks
        return today - timedelta(days=roll.randint(0, 20)), date.min

    def _teach(self, enrollment: Enrollment, teacher: Person, first: date, last: date) -> bool:
        """Finds a weekly time that suits both all season long."""
        minutes = enrollment.course.minutes
        if self._load(teacher) + minutes / teacher.weekly_minutes > BUSY_AT_MOST:
            return False
        candidates = [(h, at) for h in teacher.weekly_hours for at in h.starts_of(minutes)]
        self.roll.shuffle(candidates)
        for hours, at in candidates:
            days = list(_weekly(first, last, hours.weekday))
            periods = [_period(day, at, minutes, teacher.zone) for day in days]
            if self._suits(periods, teacher, enrollment.student):
                self._book(enrollment, teacher, at, days, periods)
                return True
        return False

    def _suits(
        self, periods: Sequence[tuple[datetime, datetime]], teacher: Person, student: Person
    ) -> bool:
        zone = ZoneInfo(student.zone)
        return all(
            start.astimezone(zone).hour in AWAKE
            and not self._taken(teacher, start, end)
            and not self._taken(student, start, end)
            for start, end in periods
        )

    def _taken(self, person: Person, start: datetime, end: datetime) -> bool:
        day = start.date()
        return any(
            begins < end and start < ends
            for near in (day - timedelta(days=1), day, day + timedelta(days=1))
            for begins, ends in self.busy.get((person.email, near), ())
        )

    def _book(
        self,
        enrollment: Enrollment,
        teacher: Person,
        at: time,
        days: Sequence[date],
        periods: Sequence[tuple[datetime, datetime]],
    ) -> None:
        self.weekly_minutes[teacher.email] += enrollment.course.minutes
        for day, period in zip(days, periods, strict=True):
            status = self._lesson_status(enrollment, day, days)
            self.lessons.append(
                Lesson(enrollment=enrollment, teacher=teacher, on=day, at=at, status=status)
            )
            for person in (teacher, enrollment.student):
                self.busy[person.email, period[0].date()].append(period)

    def _lesson_status(self, enrollment: Enrollment, day: date, days: Sequence[date]) -> str:
        given_up = enrollment.kind == "cancelled" and day > days[len(days) // 2]
        if given_up or self.roll.random() < 0.04:
            return LessonStatus.CANCELLED
        return LessonStatus.DONE if day < self.today else LessonStatus.PLANNED

    def _load(self, teacher: Person) -> float:
        return self.weekly_minutes[teacher.email] / teacher.weekly_minutes


def _weekly(first: date, last: date, weekday: int) -> Iterator[date]:
    day = first + timedelta(days=(weekday - first.weekday()) % 7)
    while day <= last:
        yield day
        day += WEEK


def _period(day: date, at: time, minutes: int, zone: str) -> tuple[datetime, datetime]:
    start = instant(on=day, at=at, zone=zone)
    return start, start + timedelta(minutes=minutes)


def _with_edges(
    offer: Sequence[Course], enrollments: Sequence[Enrollment], *, today: date
) -> tuple[Course, ...]:
    """One course is full, four have one place left, one opens in three weeks, one has closed."""
    live = Counter(one.course.slug for one in enrollments if one.is_live)
    crowded = [slug for slug, _count in live.most_common(6)]
    edges: dict[str, dict[str, Any]] = {
        crowded[0]: {"capacity": live[crowded[0]]},
        crowded[5]: {"closes_on": today - timedelta(days=10)},
        offer[-1].slug: {"opens_on": today + timedelta(days=21)},
    }
    for slug in crowded[1:5]:
        edges[slug] = {"capacity": live[slug] + 1}
    return tuple(replace(course, **edges.get(course.slug, {})) for course in offer)
