"""Schools made by chance, around days on which clocks change: what they know, and how it is saved."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from hypothesis import strategies as st

from enrollment.models import Course, Enrollment, Lesson, Student, Teacher
from holidays.models import Holiday, Region, TeacherRegion
from scheduling.models import AvailabilityException, AvailabilityRule, BookingPolicy, TimeOff
from tests.conftest import make_student, make_teacher

# Half-hour zones, changes of half an hour, at midnight and just after it, backwards in summer, a day
# left out, none at all. All in the past: there the zone data of Python and PostgreSQL agree.
CHANGES = {
    "Europe/Berlin": (date(2024, 3, 31), date(2024, 10, 27)),
    "Asia/Kolkata": (date(2024, 7, 1),),
    "Australia/Lord_Howe": (date(2024, 4, 7), date(2024, 10, 6)),
    "America/St_Johns": (date(2024, 3, 10), date(2024, 11, 3), date(2010, 11, 7)),
    "Pacific/Apia": (date(2011, 12, 30), date(2011, 9, 24), date(2012, 4, 1)),
    "Africa/Casablanca": (date(2024, 3, 10), date(2024, 4, 14)),
    "America/Vancouver": (date(2024, 3, 10), date(2024, 11, 3)),
    "America/Havana": (date(2024, 3, 10), date(2024, 11, 3)),
    "Asia/Beirut": (date(2024, 3, 31), date(2024, 10, 27)),
    "America/Asuncion": (date(2023, 10, 1), date(2024, 3, 24)),
}
DAY = 24 * 60
Window = tuple[time, time, bool]


@dataclass(frozen=True, kw_only=True)
class School:
    """Everything in days and minutes from `on`, a date with a change or near one."""

    zone: str
    viewer: str
    on: date
    now: int
    ahead: int
    minutes: int
    seats: int
    rules: list[dict[str, Any]]
    exceptions: list[dict[str, Any]]
    time_off: list[tuple[int, int]]
    holidays: list[dict[str, Any]]
    lives: str
    lessons: list[dict[str, Any]]
    policies: list[tuple[str, dict[str, int]]]

    def at(self, minutes: int) -> datetime:
        return datetime.combine(self.on, time(0), UTC) + timedelta(minutes=minutes)

    @property
    def asked_at(self) -> datetime:
        return self.at(self.now)

    @property
    def until(self) -> datetime:
        return self.at(self.now + self.ahead)


@dataclass(frozen=True, kw_only=True)
class Saved:
    teacher: Teacher
    course: Course
    student: Student


def _window(starts: int, lasts: int) -> Window:
    ends = starts + lasts
    return _clock(starts), _clock(ends % DAY), ends > DAY


def _clock(minutes: int) -> time:
    return time(*divmod(minutes, 60))


# Around the hours that are left out or come again, or anywhere; round minutes and odd ones.
starts = st.sampled_from([0, 1, 60, 90, 120, 150, 180, 22 * 60, 23 * 60 + 30]) | st.integers(
    0, 95
).map(lambda quarter: quarter * 15)
lasts = st.sampled_from([600, 185, 300, 720, 60, 90, DAY])
windows = st.builds(_window, starts, lasts)


def _rule(weekday: int, window: Window, every: int, first: int | None, stays: int | None) -> Any:
    return {
        "weekday": weekday,
        "window": window,
        "every_weeks": every,
        "first": -35 if first is None and every > 1 else first,
        "stays": stays,
    }


rules = st.builds(
    _rule,
    st.integers(0, 6),
    windows,
    st.sampled_from([1, 1, 1, 2, 3]),
    st.sampled_from([None, None, -21, -9, 0, 3]),
    st.sampled_from([None, None, 3, 10, 24]),
)
exceptions = st.fixed_dictionaries(
    {
        "day": st.integers(-2, 4),
        "kind": st.sampled_from(["replace", "add"]),
        "window": st.none() | windows,
    }
)
lessons = st.fixed_dictionaries(
    {
        "start": st.integers(-36, 4 * 72).map(lambda twenty: twenty * 20)
        | st.integers(-DAY, 4 * DAY),
        "lasts": st.sampled_from([60, 45, 120, 30, 5]),
        "status": st.sampled_from(["planned", "held", "done", "cancelled", "expired", "named"]),
        "whose": st.sampled_from(["teacher", "student", "both", "teacher", "student"]),
        "other_course": st.booleans(),
        "before": st.sampled_from([0, 0, 10, 60]),
        "after": st.sampled_from([0, 0, 15, 45]),
        # Above 1: a group, with so many students in it.
        "seats": st.sampled_from([1, 1, 1, 2, 3]),
        "members": st.integers(1, 2),
    }
)
lines = st.fixed_dictionaries(
    {},
    optional={
        "lesson_minutes": st.sampled_from([20, 45, 60]),
        "step_minutes": st.sampled_from([10, 15, 50]),
        "buffer_before": st.sampled_from([0, 5, 30]),
        "buffer_after": st.sampled_from([0, 10, 60]),
        "notice_minutes": st.sampled_from([0, 7, 600]),
        "horizon_days": st.integers(2, 8),
        "most_a_day": st.integers(1, 4),
        "most_a_week": st.integers(4, 12),
    },
).map(lambda said: said or {"step_minutes": 15})


# Of a whole day, of a part of it, or a day that works like another.
parts_of_days = st.sampled_from([(None, None), (None, None), (time(12), None), (None, time(2, 30))])
closures = st.fixed_dictionaries(
    {
        "first": st.integers(-1, 4),
        "more": st.integers(0, 1),
        "part": parts_of_days | st.tuples(st.just(time(1)), st.sampled_from([time(3), time(23)])),
        "as_weekday": st.none() | st.none() | st.integers(0, 6),
        "whom": st.sampled_from(
            ["school", "teacher", "others", "course", "other_course", "DE", "DE-BY", "DE-BY", "ES"]
        ),
    }
)
absences = st.tuples(st.integers(-DAY, 4 * DAY), st.sampled_from([90, 1, DAY]))


@st.composite
def schools(draw: st.DrawFn) -> School:
    zone = draw(st.sampled_from(sorted(CHANGES)))
    on = draw(st.sampled_from(CHANGES[zone])) + timedelta(days=draw(st.integers(-2, 1)))
    return School(
        zone=zone,
        viewer=draw(st.sampled_from([zone, *sorted(CHANGES)])),
        on=on,
        now=draw(st.integers(-DAY, DAY // 2)),
        ahead=draw(st.sampled_from([4 * DAY, 4 * DAY, DAY, 8 * DAY])),
        minutes=draw(st.sampled_from([30, 45, 60])),
        seats=draw(st.sampled_from([1, 1, 3])),
        rules=draw(st.lists(rules, min_size=4, max_size=12)),
        exceptions=draw(st.lists(exceptions, max_size=5)),
        time_off=draw(st.lists(absences, max_size=2)),
        holidays=draw(st.lists(closures, min_size=1, max_size=5)),
        # The teacher, or the school for who has no region.
        lives=draw(st.sampled_from(["DE-BY", "school in DE-BY", "DE", "ES", "nowhere"])),
        lessons=draw(st.lists(lessons, min_size=10, max_size=24)),
        policies=draw(
            st.lists(
                st.tuples(st.sampled_from(["school", "course", "teacher", "both"]), lines),
                min_size=1,
                max_size=4,
                unique_by=lambda policy: policy[0],
            )
        ),
    )


def save(school: School) -> Saved:
    """What the database refuses, because of something saved before it, is not there."""
    saved = Saved(
        teacher=make_teacher(zone=school.zone),
        course=Course.objects.create(
            title="Violin", slug="violin", lesson_minutes=school.minutes, seats=school.seats
        ),
        student=make_student(zone=school.viewer),
    )
    saved.course.teachers.add(saved.teacher)
    _save_hours(school, saved.teacher)
    TimeOff.objects.bulk_create(
        TimeOff(
            teacher=saved.teacher,
            period=DateTimeTZRange(school.at(start), school.at(start + long)),
        )
        for start, long in school.time_off
    )
    _save_holidays(school, saved)
    BookingPolicy.objects.bulk_create(
        BookingPolicy(
            course=saved.course if level in ("course", "both") else None,
            teacher=saved.teacher if level in ("teacher", "both") else None,
            **said,
        )
        for level, said in school.policies
    )
    _save_lessons(school, saved)
    return saved


def _day(school: School, days: int) -> date:
    return school.on + timedelta(days=days)


def _save_holidays(school: School, saved: Saved) -> None:
    regions = {
        code: Region.objects.create(
            country=code[:2],
            subdivision=code[3:],
            is_school=school.lives == f"school in {code}",
        )
        for code in ("DE", "DE-BY", "ES")
    }
    if school.lives in regions:
        TeacherRegion.objects.create(teacher=saved.teacher, region=regions[school.lives])
    for number, one in enumerate(school.holidays):
        swap = one["as_weekday"] is not None
        starts, ends = (None, None) if swap else one["part"]
        whom = "school" if swap and "course" in one["whom"] else one["whom"]
        holiday = Holiday.objects.create(
            name=f"Day {number}",
            kind="working_day" if swap else "other",
            first_on=_day(school, one["first"]),
            last_on=_day(school, one["first"] + one["more"]),
            starts=starts,
            ends=ends,
            as_weekday=one["as_weekday"],
            scope=_scope(whom),
            region=regions.get(whom),
        )
        if whom == "teacher":
            holiday.teachers.add(saved.teacher)
        elif whom == "course":
            holiday.courses.add(saved.course)


def _scope(whom: str) -> str:
    """Those of others name nobody here."""
    scopes = {"school": "school", "teacher": "teachers", "others": "teachers"}
    return scopes.get(whom, "courses" if "course" in whom else "region")


def _save_hours(school: School, teacher: Teacher) -> None:
    AvailabilityRule.objects.bulk_create(
        (
            AvailabilityRule(
                teacher=teacher,
                weekday=rule["weekday"],
                every_weeks=rule["every_weeks"],
                valid_from=None if rule["first"] is None else _day(school, rule["first"]),
                valid_until=None
                if rule["stays"] is None
                else _day(school, (rule["first"] or 0) + rule["stays"]),
                **_times(rule["window"]),
            )
            for rule in school.rules
        ),
        ignore_conflicts=True,
    )
    AvailabilityException.objects.bulk_create(
        (
            AvailabilityException(
                teacher=teacher,
                day_on=_day(school, one["day"]),
                kind=one["kind"] if one["window"] else "replace",
                **_times(one["window"]),
            )
            for one in school.exceptions
        ),
        ignore_conflicts=True,
    )


def _times(window: Window | None) -> dict[str, Any]:
    if window is None:
        return {}
    starts, ends, next_day = window
    return {"starts": starts, "ends": ends, "ends_next_day": next_day}


def _save_lessons(school: School, saved: Saved) -> None:
    others = [make_student(f"other{n}@school.example") for n in range(3)]
    substitute = make_teacher("other@school.example")
    another = Course.objects.create(title="Another", slug="another", seats=3)
    enrollments = {
        student: Enrollment.objects.create(student=student, course=saved.course)
        for student in (saved.student, *others)
    }
    rows = []
    for one in school.lessons:
        mine = one["whose"] != "teacher"
        students = [saved.student, *others] if mine else others
        members = students[: one["members"] if one["seats"] > 1 else 1]
        held = one["status"] in ("held", "expired", "named")
        late = timedelta(minutes=-1 if one["status"] == "expired" else 5)
        rows += [
            Lesson(
                course=another if one["other_course"] else saved.course,
                teacher=substitute if one["whose"] == "student" else saved.teacher,
                student=student,
                enrollment=enrollments[student] if one["status"] == "named" else None,
                period=DateTimeTZRange(
                    school.at(one["start"]), school.at(one["start"] + one["lasts"])
                ),
                status="held" if held else one["status"],
                expires_at=school.asked_at + late if held else None,
                seats=one["seats"],
                buffer_before=one["before"],
                buffer_after=one["after"],
                zone="UTC",
                local_on=school.on,
                local_start=time(0),
            )
            for student in members
        ]
    Lesson.objects.bulk_create(rows, ignore_conflicts=True)
