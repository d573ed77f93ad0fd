"""What the features know about lessons: which of their tables `rollback export` reads, and how.

The tables are named here as they are in the database, because they are read from the archive as well, where
no model finds them. Not among them are secrets (addresses of calendar feeds) and what works by the hour
(answers to programs, reminders that were sent).
"""

from collections.abc import Sequence

from rollback.preserving import kinds
from rollback.preserving.files import Column, File
from rollback.preserving.kinds import CLOCK, DAY, INSTANT, JSON, KEY, MAIL, SLUG, YES_NO

NOTE = kinds.text(1000)
TEACHER = """JOIN enrollment_teacher w ON w.id = t.teacher_id
    JOIN enrollment_user wu ON wu.id = w.user_id"""
MAYBE_TEACHER = """LEFT JOIN enrollment_teacher w ON w.id = t.teacher_id
    LEFT JOIN enrollment_user wu ON wu.id = w.user_id"""
COURSE = "JOIN enrollment_course c ON c.id = t.course_id"
STUDENT = """JOIN enrollment_student s ON s.id = t.student_id
    JOIN enrollment_user su ON su.id = s.user_id"""
IN_ORDER = "t.id"
REGION = "r.country || coalesce('-' || nullif(r.subdivision, ''), '')"


def _teacher(about: str = "whose", *, empty: bool = False) -> Column:
    return Column(name="teacher", kind=MAIL, of="wu.email", about=about, empty=empty)


def _course(about: str = "", *, empty: bool = False) -> Column:
    return Column(name="course", kind=SLUG, of="c.slug", about=about, empty=empty)


def _number(name: str, about: str = "") -> Column:
    return Column(name=name, kind=kinds.whole(), about=about, empty=True)


HOURS = (
    Column(name="starts", kind=CLOCK, about="on the teacher's clock", empty=True),
    Column(name="ends", kind=CLOCK, about="00:00:00 is the end of the day", empty=True),
    Column(name="ends_next_day", kind=YES_NO, about=""),
)
ROW = Column(name="row", kind=KEY, of="t.id::text", about="its number in the school it is from")

SCHEDULING: Sequence[File] = (
    File(
        name="weekly_hours.csv",
        table="scheduling_availabilityrule",
        about="When a teacher offers lessons, week by week.",
        source=f"{{scheduling_availabilityrule}} t {TEACHER}",
        order=IN_ORDER,
        columns=(
            ROW,
            _teacher(),
            Column(name="weekday", kind=kinds.whole(0, 6), about="0 is Monday"),
            *HOURS,
            Column(name="every_weeks", kind=kinds.whole(1, 52), about="counted from valid_from"),
            Column(name="valid_from", kind=DAY, about="first day", empty=True),
            Column(name="valid_until", kind=DAY, about="last day, counted in", empty=True),
            Column(name="zone", kind=kinds.ZONE, of="w.zone", about="the teacher's clock"),
        ),
    ),
    File(
        name="different_hours.csv",
        table="scheduling_availabilityexception",
        about="Dates on which a teacher's hours differ.",
        source=f"{{scheduling_availabilityexception}} t {TEACHER}",
        order=IN_ORDER,
        columns=(
            ROW,
            _teacher(),
            Column(name="day_on", kind=DAY, about=""),
            Column(
                name="kind",
                kind=kinds.text(10),
                about="replace: instead of the weekly hours; add: besides",
            ),
            *HOURS,
            Column(name="note", kind=NOTE, about="for the teacher and the office", empty=True),
        ),
    ),
    File(
        name="time_off.csv",
        table="scheduling_timeoff",
        about="When a teacher gives no lessons.",
        source=f"{{scheduling_timeoff}} t {TEACHER}",
        order=IN_ORDER,
        columns=(
            ROW,
            _teacher(),
            Column(name="starts_at", kind=INSTANT, of="lower(t.period)", about=""),
            Column(name="ends_at", kind=INSTANT, of="upper(t.period)", about="not counted in"),
            Column(name="reason", kind=NOTE, about="for the teacher and the office", empty=True),
        ),
    ),
    File(
        name="booking_policies.csv",
        table="scheduling_bookingpolicy",
        about="What may be booked. An empty cell means: as farther away, from teacher in a course over "
        "teacher and course to school.",
        source=f"{{scheduling_bookingpolicy}} t {MAYBE_TEACHER} LEFT {COURSE}",
        order=IN_ORDER,
        columns=(
            ROW,
            _course("empty: every course", empty=True),
            _teacher("empty: every teacher", empty=True),
            *(
                _number(name)
                for name in (
                    "lesson_minutes",
                    "step_minutes",
                    "buffer_before",
                    "buffer_after",
                    "notice_minutes",
                    "horizon_days",
                    "most_a_day",
                    "most_a_week",
                    "cancel_notice_hours",
                    "move_notice_hours",
                )
            ),
            Column(name="automatic_moves", kind=YES_NO, about="", empty=True),
        ),
    ),
    File(
        name="waitlist.csv",
        table="scheduling_waitlistentry",
        about="Who waits for a teacher's time, or for a place in a full course.",
        source=f"""{{scheduling_waitlistentry}} t {STUDENT} {COURSE}
          {MAYBE_TEACHER}""",
        order=IN_ORDER,
        columns=(
            ROW,
            Column(name="student", kind=MAIL, of="su.email", about="who"),
            _course("for which course"),
            _teacher("for whose time; empty: for a place", empty=True),
            Column(name="starts_at", kind=INSTANT, about="for which time", empty=True),
            Column(name="status", kind=kinds.text(10), about=""),
            Column(name="created_at", kind=INSTANT, about="waiting since"),
            Column(name="ended_at", kind=INSTANT, about="over since", empty=True),
            Column(name="offered_at", kind=INSTANT, about="", empty=True),
            Column(name="offer_expires_at", kind=INSTANT, about="offered until", empty=True),
        ),
    ),
    File(
        name="holds.csv",
        table="enrollment_lesson",
        about="Times that somebody held while filling in a form. They run out by themselves, and are in no "
        "other file.",
        source=f"enrollment_lesson t {STUDENT} {TEACHER} {COURSE}",
        where="t.status = 'held' AND t.enrollment_id IS NULL",
        order=IN_ORDER,
        columns=(
            ROW,
            _teacher("with whom"),
            Column(name="student", kind=MAIL, of="su.email", about="who"),
            _course(),
            Column(name="starts_at", kind=INSTANT, of="lower(t.period)", about=""),
            Column(name="ends_at", kind=INSTANT, of="upper(t.period)", about="not counted in"),
            Column(name="expires_at", kind=INSTANT, about="held until"),
        ),
    ),
)

HOLIDAYS: Sequence[File] = (
    File(
        name="regions.csv",
        table="holidays_region",
        about="Whose holidays count.",
        source="{holidays_region} t",
        order=IN_ORDER,
        columns=(
            ROW,
            Column(name="country", kind=kinds.text(2), about="ISO 3166-1"),
            Column(
                name="subdivision",
                kind=kinds.text(6),
                about="ISO 3166-2 without the country",
                empty=True,
            ),
            Column(name="is_school", kind=YES_NO, about="the school is here"),
        ),
    ),
    File(
        name="teacher_regions.csv",
        table="holidays_teacherregion",
        about="Where a teacher lives, when it is not where the school is.",
        source=f"{{holidays_teacherregion}} t {TEACHER} JOIN {{holidays_region}} r ON r.id = t.region_id",
        order=IN_ORDER,
        columns=(
            ROW,
            _teacher("who"),
            Column(name="region", kind=kinds.text(9), of=REGION, about="like DE-BY"),
        ),
    ),
    File(
        name="holidays.csv",
        table="holidays_holiday",
        about="Days on which no lesson is offered, or that work like another weekday.",
        source="{holidays_holiday} t LEFT JOIN {holidays_region} r ON r.id = t.region_id",
        order=IN_ORDER,
        columns=(
            ROW,
            Column(name="name", kind=NOTE, about=""),
            Column(name="names", kind=JSON, about="in other languages"),
            Column(name="kind", kind=kinds.text(12), about=""),
            Column(name="first_on", kind=DAY, about=""),
            Column(name="last_on", kind=DAY, about="counted in"),
            Column(name="starts", kind=CLOCK, about="closed from, on each day", empty=True),
            Column(name="ends", kind=CLOCK, about="closed until", empty=True),
            _number("as_weekday", "of a working day: whose weekday's hours count; 0 is Monday"),
            Column(name="scope", kind=kinds.text(10), about="for whom it closes"),
            Column(name="region", kind=kinds.text(9), of=REGION, about="like DE-BY", empty=True),
            Column(
                name="teachers",
                kind=kinds.text(),
                of="""(SELECT string_agg(lower(u.email), ' ' ORDER BY lower(u.email))
                  FROM {holidays_holiday_teachers} m JOIN enrollment_teacher w ON w.id = m.teacher_id
                  JOIN enrollment_user u ON u.id = w.user_id WHERE m.holiday_id = t.id)""",
                about="mail addresses, separated by blanks",
                empty=True,
            ),
            Column(
                name="courses",
                kind=kinds.text(),
                of="""(SELECT string_agg(c.slug, ' ' ORDER BY c.slug) FROM {holidays_holiday_courses} m
                  JOIN enrollment_course c ON c.id = m.course_id WHERE m.holiday_id = t.id)""",
                about="separated by blanks",
                empty=True,
            ),
            Column(name="note", kind=NOTE, about="for students", empty=True),
        ),
    ),
)

FACTS = (*SCHEDULING, *HOLIDAYS)
