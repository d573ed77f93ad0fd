"""The files of the ground floor, and of what students have typed: exported, and brought in again.

In the order of what names what. A key is made of what means the same in every school: mail addresses, the
names of courses, instants. Where those are not enough, a number follows, in the order of the rows.
"""

# ruff: noqa: S608  names of our own tables and columns only; what people wrote comes by COPY or as a parameter

from collections.abc import Sequence

from enrollment.domain.states import EnrollmentStatus, LessonStatus
from enrollment.models import Enrollment, LessonChange
from rollback.models import EnrollmentDraft
from rollback.preserving import kinds
from rollback.preserving.files import Column, File
from rollback.preserving.kinds import CLOCK, DAY, INSTANT, JSON, KEY, MAIL, SLUG, YES_NO, ZONE

PEOPLE, TEACHERS, STUDENTS = "people.csv", "teachers.csv", "students.csv"
COURSES, UNITS, ENROLLMENTS = "courses.csv", "units.csv", "enrollments.csv"
LESSONS, MESSAGES, DRAFTS = "lessons.csv", "messages.csv", "drafts.jsonl"


def at(value: str) -> str:
    return INSTANT.text.format(value)


def numbered(name: str, base: str, source: str, where: str = "true") -> str:
    """A named query: id and key of each row; those that begin alike are numbered as they came."""
    return f"""{name} AS (
      SELECT id, base || ' ' || row_number() OVER (PARTITION BY base ORDER BY id) AS key
        FROM (SELECT t.id, ({base}) COLLATE "C" AS base FROM {source} WHERE {where}) AS based)"""


STUDENT_MAIL = """
    JOIN enrollment_student s ON s.id = t.student_id JOIN enrollment_user su ON su.id = s.user_id"""
TEACHER_MAIL = """
    JOIN enrollment_teacher w ON w.id = t.teacher_id JOIN enrollment_user wu ON wu.id = w.user_id"""
MAYBE_TEACHER_MAIL = """
    LEFT JOIN enrollment_teacher w ON w.id = t.teacher_id
    LEFT JOIN enrollment_user wu ON wu.id = w.user_id"""
COURSE_SLUG = "JOIN enrollment_course c ON c.id = t.course_id"

ENROLLMENT_KEYS = numbered(
    "enrollment_keys",
    f"lower(su.email) || ' ' || c.slug || ' ' || {at('t.created_at')}",
    f"enrollment_enrollment t {STUDENT_MAIL} {COURSE_SLUG}",
)
# A time that somebody holds while filling in a form is nobody's lesson yet.
AGREED = "(t.status <> 'held' OR t.enrollment_id IS NOT NULL)"
LESSON_KEYS = numbered(
    "lesson_keys",
    f"lower(wu.email) || ' ' || {at('lower(t.period)')} || ' ' || lower(su.email)",
    f"enrollment_lesson t {STUDENT_MAIL} {TEACHER_MAIL}",
    AGREED,
)
CHANGE_KEYS = numbered(
    "change_keys",
    f"k.key || ' ' || {at('t.at')}",
    "enrollment_lessonchange t JOIN lesson_keys k ON k.id = t.lesson_id",
)
MESSAGE_KEYS = numbered(
    "message_keys",
    f"k.key || ' ' || {at('t.sent_at')}",
    "enrollment_message t JOIN enrollment_keys k ON k.id = t.enrollment_id",
)
ACCESS_KEYS = numbered(
    "access_keys",
    f"k.key || ' ' || lower(u.email) || ' ' || {at('t.opened_at')}",
    """enrollment_messageaccess t JOIN enrollment_keys k ON k.id = t.enrollment_id
       JOIN enrollment_user u ON u.id = t.user_id""",
)
DRAFT_KEYS = numbered(
    "draft_keys",
    f"lower(su.email) || ' ' || c.slug || ' ' || {at('t.started_at')}",
    f"rollback_enrollmentdraft t {STUDENT_MAIL} {COURSE_SLUG}",
)

# Nobody of the office but who is named in what is exported.
NAMED_PEOPLE = """t.id IN (
    SELECT user_id FROM enrollment_teacher UNION SELECT user_id FROM enrollment_student
    UNION SELECT sender_id FROM enrollment_message UNION SELECT user_id FROM enrollment_messageaccess
    UNION SELECT user_id FROM enrollment_reader UNION SELECT by_id FROM enrollment_lessonchange
    UNION SELECT by_id FROM enrollment_unitdone UNION SELECT granted_by_id FROM enrollment_makeupcredit)"""

# Nobody can log in with what was brought in: people set a password by the reset mail.
NO_PASSWORD = "'!' || md5(gen_random_uuid()::text)"  # noqa: S105


def _named(name: str, file: str, about: str, of: str, into: str = "", **more: bool) -> Column:
    kind = SLUG if file == COURSES else MAIL if file in (PEOPLE, TEACHERS, STUDENTS) else KEY
    return Column(name=name, kind=kind, about=about, of=of, into=into, names=file, **more)


def _student(about: str = "whose") -> Column:
    return _named("student", STUDENTS, about, "su.email", "student_id", fixed=True)


def _course(about: str = "in which course") -> Column:
    return _named("course", COURSES, about, "c.slug", "course_id", fixed=True)


def _enrollment(about: str, *, empty: bool = False) -> Column:
    return _named("enrollment", ENROLLMENTS, about, "e.key", "enrollment_id", empty=empty)


def _key(of: str, about: str) -> Column:
    return Column(name="key", kind=KEY, of=of, into="", about=about)


GROUND: Sequence[File] = (
    File(
        name=PEOPLE,
        table="enrollment_user",
        about="Teachers, students, and whoever of the office is named in the other files. "
        "No passwords, no rights: who is new sets a password with “Forgot your password?”.",
        source="enrollment_user t",
        where=NAMED_PEOPLE,
        columns=(
            Column(name="email", kind=MAIL, about="the login"),
            Column(name="first_name", kind=kinds.text(150), about="", empty=True),
            Column(name="last_name", kind=kinds.text(150), about="", empty=True),
            Column(
                name="language",
                kind=kinds.LANGUAGE,
                about="in which mails are written to them; empty: they never chose one",
                empty=True,
                later=True,
            ),
            # Who was dismissed stays so, and nobody is locked out by a file.
            Column(name="is_active", kind=YES_NO, about="no: may not log in", fixed=True),
            Column(
                name="deleted_at",
                kind=INSTANT,
                about="erased at their own wish then",
                empty=True,
                fixed=True,
            ),
        ),
        untouched="w.is_staff OR w.is_superuser",
        untouched_words="this is an account of the office",
        only_new={
            "password": NO_PASSWORD,
            "is_staff": "false",
            "is_superuser": "false",
            "date_joined": "now()",
        },
    ),
    File(
        name=TEACHERS,
        table="enrollment_teacher",
        about="Who teaches.",
        source="enrollment_teacher t JOIN enrollment_user u ON u.id = t.user_id",
        columns=(
            _named("email", PEOPLE, "who", "u.email", "user_id"),
            Column(name="display_name", kind=kinds.text(120), about="what students see"),
            Column(name="zone", kind=ZONE, about="the clock the teacher lives by"),
            Column(name="bio", kind=kinds.text(), about="about the teacher", empty=True),
        ),
    ),
    File(
        name=STUDENTS,
        table="enrollment_student",
        about="Who learns.",
        source="enrollment_student t JOIN enrollment_user u ON u.id = t.user_id",
        columns=(
            _named("email", PEOPLE, "who", "u.email", "user_id"),
            Column(name="zone", kind=ZONE, about="the clock the student lives by"),
        ),
    ),
    File(
        name=COURSES,
        table="enrollment_course",
        about="What is taught.",
        source="enrollment_course t",
        columns=(
            Column(name="slug", kind=SLUG, about="the name in addresses"),
            Column(name="title", kind=kinds.text(160), about=""),
            Column(name="description", kind=kinds.text(), about="", empty=True),
            Column(name="lesson_minutes", kind=kinds.whole(5, 480), about="length of a lesson"),
            Column(name="seats", kind=kinds.whole(1, 100), about="students in one lesson"),
            Column(name="capacity", kind=kinds.whole(), about="places"),
            Column(name="opens_on", kind=DAY, about="first day of enrollment", empty=True),
            Column(name="closes_on", kind=DAY, about="last day, counted in", empty=True),
        ),
    ),
    File(
        name="course_teachers.csv",
        table="enrollment_course_teachers",
        about="Who teaches what.",
        source=f"enrollment_course_teachers t {TEACHER_MAIL} {COURSE_SLUG}",
        made_of="s.course || ' ' || s.teacher",
        columns=(
            _key("c.slug || ' ' || lower(wu.email)", "course and teacher"),
            _course(""),
            _named("teacher", TEACHERS, "", "wu.email", "teacher_id", fixed=True),
        ),
    ),
    File(
        name=UNITS,
        table="enrollment_courseunit",
        about="The pieces of a course.",
        source=f"enrollment_courseunit t {COURSE_SLUG}",
        made_of="s.course || ' ' || s.title",
        columns=(
            _key("c.slug || ' ' || t.title", "course and title"),
            _course(""),
            Column(name="title", kind=kinds.text(160), about="", fixed=True),
            Column(name="position", kind=kinds.whole(0, 32767), about="two may share one"),
        ),
    ),
    File(
        name=ENROLLMENTS,
        table="enrollment_enrollment",
        about="Who is or was enrolled in what, whichever way they came, with the payment reference as it is.",
        with_=(ENROLLMENT_KEYS,),
        source=f"""enrollment_enrollment t JOIN enrollment_keys e ON e.id = t.id
          {STUDENT_MAIL} {COURSE_SLUG} {MAYBE_TEACHER_MAIL}""",
        made_of="s.student || ' ' || s.course || ' ' || s.created_at",
        columns=(
            _key("e.key", "student, course, created_at, and a number"),
            _student("who"),
            _course(),
            _named("teacher", TEACHERS, "with whom", "wu.email", "teacher_id", empty=True),
            Column(name="status", kind=kinds.one_of(EnrollmentStatus), about=""),
            Column(
                name="flow",
                kind=kinds.one_of(Enrollment.Flow.values),
                about="which way they came: scheduling is the flow with a chosen time",
            ),
            Column(name="created_at", kind=INSTANT, about="", fixed=True),
            Column(name="ended_at", kind=INSTANT, about="over since", empty=True),
            Column(
                name="wished_times",
                kind=kinds.text(),
                about="in the student's words; a chosen time too, where it was put into words",
                empty=True,
            ),
            Column(name="note", kind=kinds.text(), about="in the student's words", empty=True),
            Column(
                name="office_note",
                kind=kinds.text(),
                about="never shown to the student",
                empty=True,
            ),
            Column(name="payment_reference", kind=kinds.text(64), about="as it is", empty=True),
            Column(
                name="confirmation_sent_at",
                kind=INSTANT,
                about="empty: the student is still to be told by mail",
                empty=True,
            ),
            Column(
                name="confirmation_tries", kind=kinds.whole(0, 32767), about="to send that mail"
            ),
            Column(
                name="confirmation_next_at",
                kind=INSTANT,
                about="when it is tried again",
                empty=True,
            ),
        ),
    ),
    File(
        name=LESSONS,
        table="enrollment_lesson",
        about="Who, when, with whom; and times that are held for an enrollment which the office has "
        "not yet confirmed. In a group lesson each student is a line.",
        with_=(ENROLLMENT_KEYS, LESSON_KEYS),
        source=f"""enrollment_lesson t JOIN lesson_keys k ON k.id = t.id
          LEFT JOIN enrollment_keys e ON e.id = t.enrollment_id
          {STUDENT_MAIL} {TEACHER_MAIL} {COURSE_SLUG}""",
        made_of="s.teacher || ' ' || s.starts_at || ' ' || s.student",
        also={
            "period": "tstzrange(s.starts_at::timestamptz, s.ends_at::timestamptz, '[)')",
        },
        columns=(
            _key("k.key", "teacher, starts_at, student, and a number"),
            _named("teacher", TEACHERS, "with whom", "wu.email", "teacher_id", fixed=True),
            Column(
                name="starts_at",
                kind=INSTANT,
                of="lower(t.period)",
                into="",
                about="",
                fixed=True,
            ),
            Column(
                name="ends_at", kind=INSTANT, of="upper(t.period)", into="", about="not counted in"
            ),
            _student("who"),
            _course(),
            _enrollment("under which enrollment", empty=True),
            Column(name="local_on", kind=DAY, about="the date it was agreed for"),
            Column(name="local_start", kind=CLOCK, about="the time it was agreed for"),
            Column(name="zone", kind=ZONE, about="on whose clock that was"),
            Column(name="seats", kind=kinds.whole(1, 100), about="more than 1: a group"),
            Column(
                name="buffer_before",
                kind=kinds.whole(0, 240),
                about="minutes in which the teacher takes no other, before",
            ),
            Column(name="buffer_after", kind=kinds.whole(0, 240), about="the same, after"),
            Column(name="status", kind=kinds.one_of(LessonStatus), about=""),
            Column(name="expires_at", kind=INSTANT, about="held until", empty=True),
        ),
    ),
    File(
        name="lesson_changes.csv",
        table="enrollment_lessonchange",
        about="What happened to a lesson after it was agreed.",
        with_=(LESSON_KEYS, CHANGE_KEYS),
        source="""enrollment_lessonchange t JOIN change_keys k ON k.id = t.id
          JOIN lesson_keys l ON l.id = t.lesson_id LEFT JOIN enrollment_user u ON u.id = t.by_id
          LEFT JOIN enrollment_teacher b ON b.id = t.teacher_before_id
          LEFT JOIN enrollment_user bu ON bu.id = b.user_id""",
        made_of="s.lesson || ' ' || s.at",
        also={
            "period_before": "CASE WHEN s.before_starts_at <> '' THEN tstzrange("
            "s.before_starts_at::timestamptz, nullif(s.before_ends_at, '')::timestamptz, '[)') END",
        },
        columns=(
            _key("k.key", "lesson, at, and a number"),
            _named("lesson", LESSONS, "which", "l.key", "lesson_id", fixed=True),
            Column(name="what", kind=kinds.one_of(LessonChange.What.values), about=""),
            Column(name="at", kind=INSTANT, about="when", fixed=True),
            _named("by", PEOPLE, "who did it; empty: a rule", "u.email", "by_id", empty=True),
            Column(
                name="before_starts_at",
                kind=INSTANT,
                of="lower(t.period_before)",
                into="",
                about="of one that was moved: when it was before",
                empty=True,
            ),
            Column(
                name="before_ends_at",
                kind=INSTANT,
                of="upper(t.period_before)",
                into="",
                about="",
                empty=True,
            ),
            _named(
                "teacher_before",
                TEACHERS,
                "and with whom",
                "bu.email",
                "teacher_before_id",
                empty=True,
            ),
            Column(name="reason", kind=kinds.text(200), about="", empty=True),
        ),
    ),
    File(
        name="make_up_credits.csv",
        table="enrollment_makeupcredit",
        about="Lessons that the school owes, because it had to cancel one.",
        with_=(ENROLLMENT_KEYS, LESSON_KEYS),
        source="""enrollment_makeupcredit t JOIN lesson_keys l ON l.id = t.lesson_id
          JOIN enrollment_keys e ON e.id = t.enrollment_id
          LEFT JOIN lesson_keys n ON n.id = t.used_lesson_id
          LEFT JOIN enrollment_user u ON u.id = t.granted_by_id""",
        columns=(
            _named("lesson", LESSONS, "the cancelled one", "l.key", "lesson_id"),
            _enrollment("whose it is"),
            Column(name="minutes", kind=kinds.whole(1, 32767), about=""),
            Column(name="granted_at", kind=INSTANT, about=""),
            _named("granted_by", PEOPLE, "", "u.email", "granted_by_id", empty=True),
            Column(name="note", kind=kinds.text(200), about="only the office reads it", empty=True),
            _named("used_lesson", LESSONS, "made up in it", "n.key", "used_lesson_id", empty=True),
            Column(name="used_at", kind=INSTANT, about="", empty=True),
        ),
    ),
    File(
        name="progress.csv",
        table="enrollment_unitdone",
        about="Which units a student has done.",
        with_=(ENROLLMENT_KEYS, LESSON_KEYS),
        source="""enrollment_unitdone t JOIN enrollment_keys e ON e.id = t.enrollment_id
          JOIN enrollment_courseunit n ON n.id = t.unit_id JOIN enrollment_course c ON c.id = n.course_id
          LEFT JOIN lesson_keys l ON l.id = t.lesson_id LEFT JOIN enrollment_user u ON u.id = t.by_id""",
        made_of="s.enrollment || ' ' || s.unit",
        columns=(
            _key("e.key || ' ' || c.slug || ' ' || n.title", "enrollment and unit"),
            _named("enrollment", ENROLLMENTS, "whose", "e.key", "enrollment_id", fixed=True),
            _named("unit", UNITS, "", "c.slug || ' ' || n.title", "unit_id", fixed=True),
            Column(name="done_at", kind=INSTANT, about=""),
            _named("by", PEOPLE, "who noted it", "u.email", "by_id", empty=True),
            _named("lesson", LESSONS, "in which lesson", "l.key", "lesson_id", empty=True),
        ),
    ),
    File(
        name=MESSAGES,
        table="enrollment_message",
        about="What students and teachers wrote to each other, in the order of each conversation.",
        with_=(ENROLLMENT_KEYS, MESSAGE_KEYS),
        source="""enrollment_message t JOIN message_keys k ON k.id = t.id
          JOIN enrollment_keys e ON e.id = t.enrollment_id
          JOIN enrollment_user u ON u.id = t.sender_id""",
        order='e.key COLLATE "C", t.id',
        made_of="s.enrollment || ' ' || s.sent_at",
        columns=(
            _key("k.key", "enrollment, sent_at, and a number"),
            _named(
                "enrollment",
                ENROLLMENTS,
                "in whose conversation",
                "e.key",
                "enrollment_id",
                fixed=True,
            ),
            _named("sender", PEOPLE, "", "u.email", "sender_id", fixed=True),
            Column(name="sent_at", kind=INSTANT, about="", fixed=True),
            Column(name="body", kind=kinds.text(), about="", empty=True),
        ),
    ),
    File(
        name="readers.csv",
        table="enrollment_reader",
        about="How far a person has read a conversation, so that nobody is mailed about what they know.",
        with_=(ENROLLMENT_KEYS,),
        source="""enrollment_reader t JOIN enrollment_keys e ON e.id = t.enrollment_id
          JOIN enrollment_user u ON u.id = t.user_id""",
        made_of="s.enrollment || ' ' || s.reader",
        also={
            name: f"""coalesce((SELECT m.id FROM enrollment_message m
              JOIN keys_enrollments k ON k.pk = m.enrollment_id WHERE k.key = s.enrollment
              ORDER BY m.id LIMIT 1 OFFSET nullif(s.{cell}, '0')::integer - 1), 0)
              * (s.{cell} <> '0')::integer"""
            for name, cell in (("seen_to", "seen"), ("told_to", "told"))
        },
        columns=(
            _key("e.key || ' ' || lower(u.email)", "enrollment and reader"),
            _named("enrollment", ENROLLMENTS, "", "e.key", "enrollment_id", fixed=True),
            _named("reader", PEOPLE, "", "u.email", "user_id", fixed=True),
            *(
                Column(
                    name=name,
                    kind=kinds.whole(),
                    of=f"""(SELECT count(*) FROM enrollment_message m
                      WHERE m.enrollment_id = t.enrollment_id AND m.id <= t.{name}_to)""",
                    into="",
                    about=about,
                )
                for name, about in (
                    ("seen", "how many messages they have read"),
                    ("told", "of how many they were told by mail"),
                )
            ),
            Column(name="notice_tries", kind=kinds.whole(0, 32767), about="to send that mail"),
            Column(name="notice_next_at", kind=INSTANT, about="when one is due", empty=True),
        ),
    ),
    File(
        name="message_accesses.csv",
        table="enrollment_messageaccess",
        about="Who of the office opened a conversation, and why.",
        with_=(ENROLLMENT_KEYS, ACCESS_KEYS),
        source="""enrollment_messageaccess t JOIN access_keys k ON k.id = t.id
          JOIN enrollment_keys e ON e.id = t.enrollment_id
          JOIN enrollment_user u ON u.id = t.user_id""",
        made_of="s.enrollment || ' ' || s.person || ' ' || s.opened_at",
        columns=(
            _key("k.key", "enrollment, person, opened_at, and a number"),
            _named("enrollment", ENROLLMENTS, "which", "e.key", "enrollment_id", fixed=True),
            _named("person", PEOPLE, "who", "u.email", "user_id", fixed=True),
            Column(name="opened_at", kind=INSTANT, about="", fixed=True),
            Column(name="reason", kind=kinds.text(), about="", empty=True, fixed=True),
        ),
    ),
    File(
        name=DRAFTS,
        table="rollback_enrollmentdraft",
        about="What students have typed on the way to an enrollment, also what no program of ours can "
        "read: answers and their history are JSON as the database holds it, kept as text.",
        with_=(ENROLLMENT_KEYS, DRAFT_KEYS),
        source=f"""rollback_enrollmentdraft t JOIN draft_keys k ON k.id = t.id
          LEFT JOIN enrollment_keys e ON e.id = t.enrollment_id {STUDENT_MAIL} {COURSE_SLUG}""",
        made_of="s.student || ' ' || s.course || ' ' || s.started_at",
        columns=(
            _key("k.key", "student, course, started_at, and a number"),
            _student(),
            _course("for which course"),
            Column(name="answers", kind=JSON, about="by the form's fields"),
            Column(name="answers_version", kind=kinds.whole(0, 32767), about="of their names"),
            Column(name="version", kind=kinds.whole(), about="how often it was saved"),
            Column(name="changes", kind=JSON, about="what was typed in which save"),
            Column(name="set_aside", kind=JSON, about="texts that wait for a choice"),
            Column(name="heard", kind=JSON, about="by open page, the number of its last save"),
            Column(name="step", kind=kinds.text(20), about="furthest step", empty=True),
            Column(name="started_at", kind=INSTANT, about="", fixed=True),
            Column(name="saved_at", kind=INSTANT, about=""),
            Column(
                name="turned_away_at",
                kind=INSTANT,
                about="the new flow was taken away then",
                empty=True,
            ),
            Column(name="finished_at", kind=INSTANT, about="", empty=True),
            Column(
                name="quarantined_at",
                kind=INSTANT,
                about="set aside for the office, because it could not be read",
                empty=True,
            ),
            Column(
                name="problem",
                kind=kinds.one_of(EnrollmentDraft.Problem.values),
                about="why",
                empty=True,
            ),
            Column(name="reminded_at", kind=INSTANT, about="by mail", empty=True),
            Column(name="reminder_tries", kind=kinds.whole(0, 32767), about="to send that mail"),
            Column(
                name="reminder_next_at", kind=INSTANT, about="when it is tried again", empty=True
            ),
            _enrollment("what became of it", empty=True),
        ),
    ),
    File(
        name="no_reminders.csv",
        table="rollback_noreminders",
        about="Who wants no mails about unfinished enrollments.",
        source=f"rollback_noreminders t {STUDENT_MAIL}",
        columns=(
            _named("student", STUDENTS, "", "su.email", "student_id"),
            Column(name="since", kind=INSTANT, about=""),
        ),
    ),
)
BY_NAME = {file.name: file for file in GROUND}
