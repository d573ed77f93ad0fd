"""What the table of permissions needs: a row, the people, their things, and asking the pages."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from http.cookies import SimpleCookie
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLResolver, get_resolver

from config.roles import give_permissions
from enrollment.models import (
    Conflict,
    Course,
    CourseUnit,
    Enrollment,
    Lesson,
    MakeUpCredit,
    Message,
    MessageAccess,
    UnitDone,
    User,
)
from enrollment.operations.office import plan_by_hand
from enrollment.operations.tokens import make_token
from holidays.models import Holiday, HolidayImport, HolidaySource, Region, TeacherRegion
from rollback import incidents
from rollback.models import (
    AffectedPerson,
    Backup,
    Banner,
    Channel,
    Complaint,
    DeafAddress,
    EnrollmentDraft,
    Flag,
    FlagChange,
    IncidentAction,
    Judgment,
    LedgerEntry,
    Maintenance,
    Notification,
    OnCallPolicy,
    OnCallShift,
    Orphan,
    Page,
    PhaseRun,
    Plan,
    PlanStep,
    Rehearsal,
    SchemaChange,
    Sending,
    Stakeholder,
    Trigger,
    Verification,
)
from rollback.oncall.acknowledging import token_for
from rollback.outbox import news
from rollback.reminders import off_token
from rollback.runner import actor_of
from scheduling.models import (
    AvailabilityException,
    AvailabilityRule,
    BookingPolicy,
    TimeOff,
    WaitlistEntry,
)
from scheduling.operations.feeds import make_feed
from tests.conftest import make_student, make_teacher, make_user

GET, POST, PUT, PATCH, DELETE = "GET", "POST", "PUT", "PATCH", "DELETE"
API = "/api/"
JSON: dict[str, Any] = {"content_type": "application/json"}
ROLES = (
    "anonymous",
    "student",
    "other_student",
    "teacher",
    "other_teacher",
    "staff",
    "admin",
    "superuser",
)
# What a page answers: a status, or where it redirects to (the beginning of the address).
Answer = int | str


@dataclass(frozen=True)
class Row:
    """One URL and method, and what each role gets.

    name: as in `reverse()`; for a URL without a name its route, as the second test below prints it.
    A role that is left out gets what the one before it gets: other_student as student,
    other_teacher as teacher, admin as staff, superuser as admin; teacher and staff as student.
    `admin` is in the group of that name and no superuser.
    query, data: what is sent along. things: other values for the URL's keywords. In all three a
    thing of `build()` may stand in braces: "{enrollment}".
    """

    name: str
    method: str
    anonymous: Answer
    student: Answer
    other_student: Answer | None = None
    teacher: Answer | None = None
    other_teacher: Answer | None = None
    staff: Answer | None = None
    admin: Answer | None = None
    superuser: Answer | None = None
    query: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    things: Mapping[str, str] = field(default_factory=dict)

    def expected(self, role: str) -> Answer:
        answer: Answer | None = getattr(self, role)
        return self.expected(AS[role]) if answer is None else answer


AS = {
    "other_student": "student",
    "teacher": "student",
    "other_teacher": "teacher",
    "staff": "student",
    "admin": "staff",
    "superuser": "admin",
}


def routes(patterns: Any = None, route: str = "", spaces: str = "") -> Iterator[tuple[str, str]]:
    """(name or route, route) of every URL there is."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            space = f"{spaces}{pattern.namespace}:" if pattern.namespace else spaces
            yield from routes(pattern.url_patterns, here, space)
        else:
            yield (f"{spaces}{pattern.name}" if pattern.name else here), here


ROUTES = dict(reversed(list(routes())))
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:\[[^]]*\]|\(\?:[^)]*\)|[^)[])*\)")


def path_of(row: Row, things: Mapping[str, str]) -> str:
    """The URL with `student`'s and `teacher`'s own things in it."""
    route = ROUTES[row.name]
    own = {**things, **_of_admin_page(route, things)}
    own |= {name: value.format(**things) for name, value in row.things.items()}
    needed = {found[1] or found[2] for found in PARAMETER.finditer(route)}
    missing = needed - own.keys()
    assert not missing, (
        f"{row.name} ({route}) needs {missing}: make one in build() in {__file__}; for a page of the "
        "admin a row of that model."
    )
    path = PARAMETER.sub(lambda found: own[found[1] or found[2]], route)
    return "/" + re.sub(r"[\^$]", "", path) + row.query.format(**own)


def _of_admin_page(route: str, things: Mapping[str, str]) -> dict[str, str]:
    found = re.match(r"admin/(\w+)/(\w+)/", route)
    label = f"{found[1]}.{found[2]}" if found else ""
    return {"object_id": things[label], "id": things[label]} if label in things else {}


@dataclass(frozen=True, kw_only=True)
class School:
    people: Mapping[str, User | None]
    things: Mapping[str, str]


def build() -> School:
    """One of everything. What belongs to somebody belongs to `student` and `teacher`."""
    give_permissions()
    student, teacher = make_student(), make_teacher()
    people: dict[str, Any] = {
        "anonymous": None,
        "student": student.user,
        "other_student": make_student("other.student@school.example").user,
        "teacher": teacher.user,
        "other_teacher": make_teacher("other.teacher@school.example").user,
        "staff": make_user("staff@school.example", "staff", is_staff=True),
        "admin": make_user("head@school.example", "admin", is_staff=True),
        "superuser": User.objects.create_superuser("root@school.example", "correct horse"),
    }
    for number in (1, 2):
        course = Course.objects.create(title=f"Course {number}", slug=f"course-{number}")
        course.teachers.add(teacher)
    enrolled = Course.objects.get(slug="course-1")
    enrollment = Enrollment.objects.create(student=student, course=enrolled, teacher=teacher)
    day = datetime.now(UTC) + timedelta(days=30)
    lesson = plan_by_hand(
        enrollment=enrollment, teacher=teacher, on=day.date(), at=time(16), now=day
    )
    rule = AvailabilityRule.objects.create(
        teacher=teacher, weekday=0, starts=time(16), ends=time(18)
    )
    other_day = AvailabilityException.objects.create(teacher=teacher, day_on=day.date())
    time_off = TimeOff.objects.create(teacher=teacher, period=(day, day + timedelta(days=1)))
    policy = BookingPolicy.objects.create(teacher=teacher, buffer_after=10)
    waits = WaitlistEntry.objects.create(student=student, course=enrolled, created_at=day)
    flag = Flag.objects.get(name="ENABLE_CALENDAR_DISPLAY")
    change = FlagChange.objects.filter(flag_name=flag.name).latest("pk")
    root = people["superuser"]
    incident = incidents.open_with_latches(
        title="Wrong times", flags=[], actor=actor_of(root), cause="x"
    )
    concerned = AffectedPerson.objects.create(
        incident=incident, user=student.user, reasons=["lesson"]
    )
    letter = Sending.objects.create(
        incident=incident, letter="enrollment", number=1, reasons=["lesson"], prepared_by_name="x"
    )
    mailed = Notification.objects.create(
        sending=letter, user=student.user, reasons=["lesson"], state="held"
    )
    to_do = IncidentAction.objects.create(incident=incident, text="Test the clocks")
    verification = Verification.objects.create(incident=incident, by_name="x")
    told = Stakeholder.objects.create(name="x", email="board@school.example", language="en")
    # Upwards, so that some of its steps are only for who may raise.
    plan = Plan.objects.create(direction="up", flags=[flag.name], actor_name="x", reason="x")
    PlanStep.objects.create(plan=plan, number=1, percent=5)
    # Of a table that is nobody's, for what lies there takes its feature away.
    entry = LedgerEntry.objects.create(
        app="x", kind="table", table="x", archived_as="archive.x", back_at=day
    )
    orphan = Orphan.objects.create(entry=entry, foreign_key="x", row={"id": 1})
    phase = PhaseRun.objects.create(target=1, status="asked", operator_name="x", reason="x")
    backup = Backup.objects.create(name="x", status="verified", as_of=day)
    rehearsal = Rehearsal.objects.create(graph="x", backup="x", report="# x", picture="<svg/>")
    altered = SchemaChange.objects.create(plan=[], plan_hash="x", actor_name="x")
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    shift = OnCallShift.objects.create(
        user=people["admin"], starts_at=now - hour, ends_at=now + hour, handed_over_at=now
    )
    channel = Channel.objects.create(
        name="x", kind="generic", url="http://127.0.0.1:9/", secret="x", is_active=False
    )
    page = Page.objects.create(kind="test")
    patience = OnCallPolicy.objects.create()
    later = {"starts_at": day, "ends_at": day + timedelta(hours=1)}
    banner = Banner.objects.create(texts={"en": "x"}, written_by_name="x", **later)
    work = Maintenance.objects.create(
        headings={"en": "x"}, texts={"en": "x"}, announced_from=day, planned_by_name="x", **later
    )
    unit = CourseUnit.objects.create(course=enrolled, title="Scales")
    ticked = UnitDone.objects.create(
        enrollment=enrollment, unit=CourseUnit.objects.create(course=enrolled, title="Coda")
    )
    Message.objects.create(enrollment=enrollment, sender=student.user, body="x")
    opening = MessageAccess.objects.create(enrollment=enrollment, user=root, reason="x")
    conflict = Conflict.objects.create(kind="after_the_end", key="x", enrollment=enrollment)
    conflict.lessons.add(lesson)
    cancelled = plan_by_hand(
        enrollment=enrollment, teacher=teacher, on=day.date(), at=time(18), now=day
    )
    Lesson.objects.filter(pk=cancelled.pk).update(status="cancelled")
    credit = MakeUpCredit.objects.create(enrollment=enrollment, lesson=cancelled, minutes=45)
    token, _secret = make_token(
        user=student.user, name="x", lifetime=timedelta(days=1), now=datetime.now(UTC)
    )
    feed, feed_token = make_feed(user=student.user, name="x", language="en", now=datetime.now(UTC))
    complaint = Complaint.objects.create(
        kind="broken", text="x", by=student.user, reporter=f"u:{student.user.pk}"
    )
    trigger = Trigger.objects.order_by("pk").first() or Trigger.objects.create(
        name="x", title="x", metric="requests", method="share above", threshold=0.1,
        window_seconds=60, min_total=1, action="alert",
    )  # fmt: skip
    judgment = Judgment.objects.create(
        trigger_name=trigger.name, version=1, verdict="OK", words="x", evidence={}
    )
    draft = EnrollmentDraft.objects.create(student=student, course=course, saved_at=day)
    deaf = DeafAddress.objects.create(email=student.user.email, why="bounced")
    address = EmailAddress.objects.create(user=student.user, email=student.user.email)
    holiday = Holiday.objects.create(
        name="Summer", first_on=date(2026, 7, 1), last_on=date(2026, 7, 2)
    )
    region = Region.objects.create(country="DE", is_school=True)
    lives = TeacherRegion.objects.create(teacher=teacher, region=region)
    source = HolidaySource.objects.create(kind="csv", title="Breaks")
    imported = HolidayImport.objects.create(source=source, first_year=2026, last_year=2026)
    rows = (student, teacher, student.user, enrolled, enrollment, lesson, rule, flag, change)
    more = (draft, address, holiday, Group.objects.get(name="staff"), incident, opening, token)
    engine = (verification, complaint, concerned, to_do, told)
    units = (unit, ticked, conflict, credit, region, lives, source, imported)
    on_call = (shift, channel, page, patience)
    public = (banner, work)
    schema = (entry, orphan, phase, backup, rehearsal, altered)
    hours = (other_day, time_off, policy, waits, feed, trigger, judgment)
    things = {
        row._meta.label_lower: str(row.pk)
        for row in (*rows, *more, *units, *hours, *engine, *schema, *on_call, mailed, deaf, *public)
    }
    return School(
        people=people,
        things=things
        | {
            "course": course.slug,
            "course_id": str(course.pk),
            "enrollment": str(enrollment.pk),
            "lesson": str(lesson.pk),
            "conflict": str(conflict.pk),
            "teacher": str(teacher.pk),
            "rule": str(rule.pk),
            "exception": str(other_day.pk),
            "source": str(source.pk),
            "preview": "nothing",
            "code": "DE",
            "time_off": str(time_off.pk),
            "entry": str(waits.pk),
            "booking": str(lesson.pk),
            "year": "2026",
            "month": "3",
            "uidb36": "1",
            "app_label": "enrollment",
            "url": "nothing-here",
            "root": str(root.pk),
            "incident": str(incident.pk),
            "sending": str(letter.pk),
            "plan": str(plan.pk),
            "step": "pause",
            "run": str(phase.pk),
            "call": token_for(page=page.pk, user=root.pk),
            "unit": str(unit.pk),
            "token": off_token(student),
            "news_token": news.off_token(student.user),
            "key": token.token_key,
            "digest": token.pk,
            "feed": str(feed.pk),
            "feed_token": feed_token,
            "enrollment.thread": str(enrollment.pk),
        },
    )


def data_of(row: Row, things: Mapping[str, str]) -> dict[str, str]:
    return {name.format(**things): value.format(**things) for name, value in row.data.items()}


class Asking:
    """One person's browser; whatever a request did is undone before the next."""

    def __init__(self, user: User | None, **options: Any) -> None:
        self.client = Client(raise_request_exception=False, **options)
        if user is not None:
            self.client.force_login(user)
        self._cookies = self.client.cookies.output()
        self.untouched = snapshot()

    def __call__(self, path: str, method: str, data: Mapping[str, Any]) -> tuple[Any, set[str]]:
        """The response, and which tables are no longer what they were."""
        before = writes()
        with transaction.atomic():
            response = self._ask(path, method, data)
            looks = method == GET and writes() != before
            now = snapshot() if looks else self.untouched
            transaction.set_rollback(True)
        saved: Any = SimpleCookie()
        saved.load(self._cookies.replace("Set-Cookie: ", ""))
        self.client.cookies = saved
        return response, {name for name in now if now[name] != self.untouched[name]}

    def _ask(self, path: str, method: str, data: Mapping[str, Any]) -> HttpResponse:
        ask = getattr(self.client, method.lower())
        is_form = method == GET or (method == POST and not path.startswith(API))
        answer: HttpResponse = ask(path, data, **({} if is_form else JSON))
        return answer


def answered(response: HttpResponse, expected: Answer) -> Answer:
    """In the form in which it was expected: a redirect by where it leads, if that was asked."""
    if isinstance(expected, str) and response.status_code in (301, 302, 303):
        location = response.headers["Location"]
        return expected if location.startswith(expected) else location
    return response.status_code


# A GET may change these.
MAY_CHANGE = {
    "django_session": "Messages that were shown, the language, a session that is renewed.",
    "django_cache": "Counters against guessing.",
}


def writes() -> list[tuple[Any, ...]]:
    """How many rows this transaction has written so far, by table: quickly asked, for most GETs."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_user_tables
                WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND relname <> ALL(%s) ORDER BY 1""",
            [list(MAY_CHANGE)],
        )
        return list(cursor.fetchall())


def snapshot() -> dict[str, str]:
    """A digest of every table's rows."""
    tables = sorted(set(connection.introspection.table_names()) - set(MAY_CHANGE))
    one = (
        "SELECT '{0}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{0}\" t"
    )
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(one.format(table) for table in tables))
        return dict(cursor.fetchall())
