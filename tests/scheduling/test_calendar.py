"""My calendar: month, week and list of one's own lessons, and the fragment that keeps them fresh."""

import gzip
import posixpath
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from enrollment.models import Course, Enrollment, Student, Teacher, User
from holidays.models import Holiday
from rollback.models import EnrollmentDraft
from scheduling import sockets
from scheduling.domain import shown
from scheduling.domain.closures import Named
from scheduling.domain.month import shifted, weeks_of
from scheduling.models import BookingPolicy, WaitlistEntry
from scheduling.queries.calendar import lessons_of
from scheduling.queries.deadlines import deadlines, deadlines_of
from scheduling.queries.policies import policies_of
from tests.bench.figures import TRANSACTION
from tests.conftest import Switches, make_student, make_teacher
from tests.scheduling.conftest import MakeLesson

MONTH, WEEK, LIST = "/calendar/2026/1/", "/calendar/week/2026-01-19/", "/calendar/list/2026-01-12/"
VIEWS = (MONTH, WEEK, LIST)
MOST_QUERIES = 8
MOST_BYTES = 60 * 1024
HTMX = {"HX-Request": "true"}
LAST = datetime(9999, 12, 30, tzinfo=UTC).replace(tzinfo=None)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


def days_of(page: Any) -> list[shown.Day]:
    found = page.context["shown"]
    if isinstance(found, shown.Month):
        return [day for week in found.weeks for day in week]
    return list(found.days)


def lessons_by_day(page: Any) -> dict[date, int]:
    return {day.on: len(day.entries) for day in days_of(page) if day.entries}


def text_of(page: Any) -> str:
    """The main part as it is read: no tags, single spaces."""
    main = page.content.decode().split("<main", 1)[-1].split("</main>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


@pytest.fixture
def enrolled(student: Student, course: Course, teacher: Teacher) -> Enrollment:
    return Enrollment.objects.create(student=student, course=course, teacher=teacher)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> list[Named]:
    """What the socket of closures answers; the site plan plugs in the holidays."""
    found: list[Named] = []

    def closures(*, first: date, last: date, **whose: Any) -> list[Named]:
        return [one for one in found if one.first_on <= last and one.last_on >= first]

    monkeypatch.setattr(sockets, "named_closures", closures)
    return found


@pytest.mark.django_db
@pytest.mark.usefixtures("now")
class TestPage:
    def test_this_month_with_today_and_ways_on(self, as_student: Client) -> None:
        page = as_student.get("/calendar/")
        html = page.content.decode()
        assert page.status_code == 200
        assert "January 2026" in html
        assert '<table class="cal-month' in html
        assert html.count('aria-current="date"') == 1
        assert html.count('rel="next"') == 1
        for way in ("/calendar/2025/12/", "/calendar/2026/2/", "/calendar/week/2026-01-14/"):
            assert f'href="{way}"' in html
        assert 'href="/calendar/list/2026-01-14/"' in html

    def test_only_own_lessons_on_ones_own_clock(
        self, as_student: Client, student: Student, make_lesson: MakeLesson
    ) -> None:
        student.zone = "Asia/Tokyo"
        student.save()
        make_lesson(at(9, 14, 59), at(9, 15, 30))  # 23:59 on the 9th in Tokyo
        make_lesson(at(9, 15, 30), at(9, 16))  # 00:30 on the 10th
        make_lesson(at(31, 15), at(31, 16))  # 1 February there
        make_lesson(datetime(2025, 12, 31, 15, tzinfo=UTC), at(1, 0))  # 1 January there
        make_lesson(at(20, 9), at(20, 10), status="cancelled")
        make_lesson(at(12, 9), at(12, 10), status="held", expires_at=at(13, 9))  # has run out
        make_lesson(at(22, 9), at(22, 10), status="done")
        make_lesson(at(23, 9), at(23, 10), student=make_student("other@school.example"))
        page = as_student.get(MONTH)
        assert lessons_by_day(page) == dict.fromkeys(
            (date(2026, 1, day) for day in (1, 9, 10, 20, 22)), 1
        )
        assert page.context["shown"].lessons == 4  # the cancelled one does not count
        assert "00:30" in page.content.decode()
        assert "Marta Rossi" in page.content.decode()

    @pytest.mark.parametrize("path", VIEWS)
    def test_a_lesson_names_course_person_time_and_length(
        self, as_student: Client, enrolled: Enrollment, make_lesson: MakeLesson, path: str
    ) -> None:
        lesson = make_lesson(at(20, 9), at(20, 9, 45), enrollment=enrolled)
        page = as_student.get(path)
        said = text_of(page)
        for words in ("Violin for beginners", "Marta Rossi", "10:00", "10:45", "45 minutes"):
            assert words in said
        assert f'href="/enrollments/{enrolled.pk}/#lesson-{lesson.pk}"' in page.content.decode()
        # And there it is.
        there = as_student.get(f"/enrollments/{enrolled.pk}/").content.decode()
        assert f'id="lesson-{lesson.pk}"' in there

    @pytest.mark.parametrize("path", VIEWS)
    def test_a_lesson_without_enrollment_and_a_cancelled_one_in_words(
        self, as_student: Client, make_lesson: MakeLesson, path: str
    ) -> None:
        lesson = make_lesson(at(20, 9), at(20, 9, 45), status="cancelled")
        page = as_student.get(path)
        assert "Cancelled" in text_of(page)
        if path != LIST:
            html = page.content.decode()
            assert f'href="/calendar/list/2026-01-20/#lesson-{lesson.pk}"' in html
            there = as_student.get("/calendar/list/2026-01-20/").content.decode()
            assert f'id="lesson-{lesson.pk}"' in there

    @pytest.mark.parametrize("path", VIEWS)
    def test_ones_own_hold_leads_on_to_where_it_is_used(
        self, as_student: Client, client: Client, make_lesson: MakeLesson, path: str
    ) -> None:
        hold = make_lesson(at(20, 9), at(20, 9, 45), status="held", expires_at=at(14, 13, 5))
        page = as_student.get(path)
        assert "held until 14:05" in text_of(page)
        assert 'href="/schedule/violin/continue/"' in page.content.decode()
        assert page.context["shown"].lessons == 0
        WaitlistEntry.objects.create(
            student=hold.student,
            course=hold.course,
            teacher=hold.teacher,
            starts_at=hold.starts_at,
            status="offered",
            created_at=at(1, 0),
            offered_at=at(14, 10),
            offer_expires_at=at(14, 13, 5),
            hold=hold,
        )
        main = as_student.get(path).content.decode().split("<main")[1]
        assert 'href="/schedule/my/waitlist/"' in main
        # What others hold is nobody's lesson yet.
        client.force_login(hold.teacher.user)
        assert lessons_by_day(client.get(path)) == {}

    @pytest.mark.parametrize("path", VIEWS)
    def test_teachers_get_theirs_with_the_student(
        self, client: Client, enrolled: Enrollment, make_lesson: MakeLesson, path: str
    ) -> None:
        lesson = make_lesson(at(20, 9), at(20, 10), enrollment=enrolled)
        client.force_login(enrolled.teacher.user)  # type: ignore[union-attr]
        page = client.get(path)
        assert lessons_by_day(page) == {date(2026, 1, 20): 1}
        assert "Ada Vogel" in page.content.decode()
        assert f"/my/students/{enrolled.pk}/?lesson={lesson.pk}" in page.content.decode()

    def test_a_group_is_one_lesson_with_its_students(
        self, client: Client, course: Course, teacher: Teacher, make_lesson: MakeLesson
    ) -> None:
        for name in ("a", "b", "c"):
            student = make_student(f"{name}@school.example", zone="Asia/Tokyo")
            enrollment = Enrollment.objects.create(student=student, course=course)
            make_lesson(at(20, 9), at(20, 10), student=student, enrollment=enrollment, seats=4)
        client.force_login(teacher.user)
        for path in VIEWS:
            assert lessons_by_day(client.get(path)) == {date(2026, 1, 20): 1}
        assert "3 students" in text_of(client.get(MONTH))
        assert client.get(LIST).content.decode().count("/my/students/") == 3
        assert "17:00 in Tokyo" not in text_of(client.get(MONTH))
        assert "18:00 in Tokyo" in text_of(client.get(MONTH))  # all of them live there

    @pytest.mark.parametrize("path", VIEWS)
    def test_both_clocks_and_the_other_date(
        self, as_student: Client, student: Student, make_lesson: MakeLesson, path: str
    ) -> None:
        student.zone = "Asia/Tokyo"
        student.save()
        make_lesson(
            at(20, 16), at(20, 17)
        )  # 01:00 on the 21st in Tokyo, 17:00 on the 20th in Berlin
        said = text_of(as_student.get(path))
        assert "01:00" in said
        assert "17:00 in Berlin the day before" in said
        assert "Times are on your clock, Asia/Tokyo." in said

    def test_clocks_that_agree_are_one(
        self, as_student: Client, student: Student, make_lesson: MakeLesson
    ) -> None:
        student.zone = "Europe/Rome"
        student.save()
        make_lesson(at(20, 16), at(20, 17))
        assert " in Berlin" not in text_of(as_student.get(MONTH))

    @pytest.mark.parametrize("path", VIEWS)
    def test_closed_days_half_days_and_swapped_ones(
        self, as_student: Client, named: list[Named], path: str
    ) -> None:
        day = date(2026, 1, 20)
        named += [
            Named(first_on=day, last_on=day + timedelta(2), name="Break", note="Back on Friday."),
            Named(first_on=day, last_on=day, name="Eve", starts=14 * 3600, ends=24 * 3600),
            Named(first_on=day, last_on=day, name="Morning", starts=0, ends=12 * 3600 + 1800),
            Named(first_on=day, last_on=day, name="Lunch", starts=12 * 3600, ends=13 * 3600),
            Named(first_on=day, last_on=day, name="Bridge", works_like=0),
            Named(first_on=date(2026, 6, 1), last_on=date(2026, 6, 1), name="Far"),
        ]
        said = text_of(as_student.get(path))
        for words in (
            "Closed: Break",
            "20 January 2026 – 22 January 2026",
            "Back on Friday.",
            "Eve: closed from 14:00",
            "Morning: closed until 12:30",
            "Lunch: closed 12:00–13:00",
            "Bridge: hours as on a Monday",
        ):
            assert words in said
        assert "Far" not in said
        closed = [one.on.day for one in days_of(as_student.get(MONTH)) if one.closed]
        assert closed == [20, 21, 22]

    def test_whose_closed_days(
        self, as_student: Client, make_lesson: MakeLesson, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A week without a lesson, because the teacher is away, is that teacher's week all the same."""
        asked: list[Any] = []
        monkeypatch.setattr(sockets, "named_closures", lambda **whose: asked.append(whose) or ())
        lesson = make_lesson(at(13, 9), at(13, 10))
        as_student.get("/calendar/week/2026-01-26/")
        assert asked == [
            {
                "teachers": {lesson.teacher_id},
                "courses": {lesson.course_id},
                "first": date(2026, 1, 26),
                "last": date(2026, 2, 1),
            }
        ]

    def test_the_list_says_what_can_be_done_and_only_while_scheduling_is_on(
        self, as_student: Client, make_lesson: MakeLesson, switches: Switches
    ) -> None:
        lesson = make_lesson(at(20, 9), at(20, 10))
        soon = make_lesson(at(14, 15), at(14, 16))
        html = as_student.get(LIST).content.decode()
        for what in ("move", "cancel"):
            assert f"/schedule/lessons/{lesson.pk}/{what}/" in html
            assert f"/schedule/lessons/{soon.pk}/{what}/" not in html
        assert "Could be moved or cancelled until" in html
        switches.kill("ENABLE_CALENDAR_DISPLAY")
        assert as_student.get(LIST).status_code == 303

    @pytest.mark.parametrize("path", VIEWS)
    def test_nothing_says_what_to_do(
        self, as_student: Client, client: Client, make_lesson: MakeLesson, path: str
    ) -> None:
        assert "Book one in a course you are enrolled in" in text_of(as_student.get(path))
        lesson = make_lesson(
            datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC)
        )
        page = as_student.get(path)
        assert "The next one is on Monday 2 March 2026." in text_of(page)
        way = re.search(r'href="([^"]+)">Go there', page.content.decode())
        assert way is not None
        assert lessons_by_day(as_student.get(way[1])) == {date(2026, 3, 2): 1}
        client.force_login(make_teacher("new@school.example").user)
        assert "When a student books" in text_of(client.get(path))
        assert lesson.pk

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/calendar/2026/13/", 404),
            ("/calendar/2026/0/", 404),
            ("/calendar/1999/12/", 404),
            ("/calendar/99999/1/", 404),
            ("/calendar/2000/1/", 200),
            ("/calendar/2100/12/", 200),
            ("/calendar/week/", 200),
            ("/calendar/week/2026-02-30/", 404),
            ("/calendar/week/1999-12-31/", 404),
            ("/calendar/week/2000-01-01/", 200),
            ("/calendar/week/2100-12-31/", 200),
            ("/calendar/week/0001-01-01/", 404),
            ("/calendar/list/", 200),
            ("/calendar/list/9999-12-31/", 404),
            ("/calendar/list/2000-01-01/", 200),
            ("/calendar/list/2100-12-31/", 200),
        ],
    )
    def test_days_that_are_not_shown(self, as_student: Client, path: str, status: int) -> None:
        assert as_student.get(path).status_code == status

    @pytest.mark.parametrize("path", VIEWS)
    def test_others(self, client: Client, staff: User, path: str) -> None:
        assert client.get(path).status_code == 302
        client.force_login(staff)
        assert client.get(path)["Location"] == "/home/"

    def test_a_week_beside_its_hours(self, as_student: Client, make_lesson: MakeLesson) -> None:
        make_lesson(at(19, 6), at(19, 6, 45))  # 07:00 in Berlin
        make_lesson(at(20, 22, 30), at(20, 23, 30))  # 23:30, and past midnight
        week = as_student.get(WEEK).context["shown"]
        assert list(week.hours) == list(range(7, 24))
        placed = [(entry.row, entry.rows) for day in week.days for entry in day.entries]
        assert placed == [(1, 3), ((23 - 7) * 4 + 3, 2)]


@pytest.mark.django_db
@pytest.mark.usefixtures("now")
class TestFragment:
    @pytest.mark.parametrize("path", VIEWS)
    def test_the_same_address_answers_htmx_with_the_part_that_changes(
        self, as_student: Client, make_lesson: MakeLesson, path: str
    ) -> None:
        make_lesson(at(20, 9), at(20, 10))
        page, part = as_student.get(path), as_student.get(path, headers=HTMX)
        assert "HX-Request" in page["Vary"]
        assert "HX-Request" in part["Vary"]
        assert "ETag" not in page
        assert "no-store" in page["Cache-Control"]
        assert "no-store" in part["Cache-Control"]
        html = part.content.decode()
        assert html.strip().startswith('<div id="calendar"')
        assert f'data-fresh="{path}"' in html
        assert html.strip() in "\n".join(page.content.decode().splitlines())
        assert (
            part["ETag"].strip('"') in html
        )  # so that the first question can be a conditional one

    @pytest.mark.parametrize("path", VIEWS)
    def test_304_while_nothing_changes_and_nothing_is_rendered_for_it(
        self, as_student: Client, make_lesson: MakeLesson, path: str
    ) -> None:
        make_lesson(at(20, 9), at(20, 10))
        tag = as_student.get(path, headers=HTMX)["ETag"]
        for known in (tag, f'W/{tag}, "other"'):
            again = as_student.get(path, headers={**HTMX, "If-None-Match": known})
            assert again.status_code == 304
            assert again["ETag"] == tag
            assert int(again["Calendar-Version"]) > 0
            assert "HX-Request" in again["Vary"]
            assert not again.content
            assert not again.templates
        assert as_student.get(path, headers={"If-None-Match": tag}).status_code == 200

    def test_going_on_changes_the_title_and_is_said(self, as_student: Client) -> None:
        part = as_student.get(MONTH, headers={**HTMX, "HX-Boosted": "true"}).content.decode()
        assert re.search(r"<title>\s*Calendar, January 2026", part)
        assert 'hx-swap-oob="innerHTML"' in part
        assert "<title>" not in as_student.get(MONTH, headers=HTMX).content.decode()

    def test_back_in_the_browsers_history_is_the_whole_page(self, as_student: Client) -> None:
        headers = {**HTMX, "HX-History-Restore-Request": "true"}
        assert "<html" in as_student.get(MONTH, headers=headers).content.decode()

    @pytest.mark.parametrize("path", VIEWS)
    def test_whatever_is_seen_changes_the_tag(
        self,
        as_student: Client,
        enrolled: Enrollment,
        make_lesson: MakeLesson,
        named: list[Named],
        path: str,
    ) -> None:
        lesson = make_lesson(at(20, 9), at(20, 10), enrollment=enrolled)
        teacher, course = lesson.teacher, lesson.course
        named.append(Named(first_on=date(2026, 1, 21), last_on=date(2026, 1, 21), name="Break"))
        tags = [as_student.get(path, headers=HTMX)["ETag"]]

        def save(thing: Any, **values: Any) -> None:
            for name, value in values.items():
                setattr(thing, name, value)
            thing.save()

        changes: list[Callable[[], Any]] = [
            lambda: save(course, title="Violin"),
            lambda: save(teacher, display_name="M. Rossi"),
            lambda: save(teacher, zone="America/New_York"),
            lambda: save(enrolled.student, zone="Europe/London"),
            lambda: save(lesson, period=(at(20, 10), at(20, 11))),
            lambda: save(lesson, period=(at(20, 10), at(20, 11, 30))),
            lambda: save(lesson, enrollment=None),
            lambda: make_lesson(at(21, 9), at(21, 10), status="held", expires_at=at(14, 12)),
            lambda: save(lesson, status="cancelled"),
            lambda: make_lesson(at(22, 9), at(22, 10)),
            lambda: named.__setitem__(
                0, Named(first_on=date(2026, 1, 21), last_on=date(2026, 1, 21), name="Winter break")
            ),
            lambda: named.append(
                Named(first_on=date(2026, 1, 22), last_on=date(2026, 1, 22), name="x", note="y")
            ),
        ]
        for change in changes:
            change()
            tags.append(as_student.get(path, headers=HTMX)["ETag"])
        with translation.override("de"):
            as_student.cookies["django_language"] = "de"
            tags.append(as_student.get(path, headers=HTMX)["ETag"])
        with time_machine.travel(at(14, 12, 1), tick=False):  # the hold has run out
            tags.append(as_student.get(path, headers=HTMX)["ETag"])
        with time_machine.travel(at(15, 0, 0), tick=False):  # midnight in London
            tags.append(as_student.get(path, headers=HTMX)["ETag"])
        assert len(set(tags)) == len(tags)

    def test_in_the_list_what_can_be_done_counts_too(
        self, as_student: Client, make_lesson: MakeLesson
    ) -> None:
        make_lesson(at(20, 9), at(20, 10))
        before = as_student.get(LIST, headers=HTMX)["ETag"]
        BookingPolicy.objects.create(move_notice_hours=48)
        assert as_student.get(LIST, headers=HTMX)["ETag"] != before

    def test_of_others_nothing_changes_it(
        self, as_student: Client, make_lesson: MakeLesson
    ) -> None:
        before = as_student.get(MONTH, headers=HTMX)["ETag"]
        make_lesson(at(20, 9), at(20, 10), student=make_student("other@school.example"))
        assert as_student.get(MONTH, headers=HTMX)["ETag"] == before


def asked_by(client: Client, path: str, **headers: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path, headers=headers).status_code in (200, 304)
    return [one["sql"] for one in captured if not one["sql"].startswith(TRANSACTION)]


@pytest.fixture
def with_everything(
    student: Student, course: Course, teacher: Teacher, enrolled: Enrollment
) -> None:
    """A student of whom the navigation, too, has something to say, and a real closed day."""
    EnrollmentDraft.objects.create(student=student, course=course, saved_at=at(1, 0))
    WaitlistEntry.objects.create(student=student, course=course, created_at=at(1, 0))
    Holiday.objects.create(name="Snow", first_on=date(2026, 1, 22), last_on=date(2026, 1, 23))
    BookingPolicy.objects.create(teacher=teacher, move_notice_hours=12)


@pytest.mark.django_db
@pytest.mark.usefixtures("now", "with_everything")
class TestBudget:
    """The whole request: session, user and navigation counted in."""

    @pytest.mark.parametrize("path", VIEWS)
    def test_a_students_queries_are_as_many_at_300_lessons_as_at_3(
        self, as_student: Client, student: Student, make_lesson: MakeLesson, path: str
    ) -> None:
        """Of many courses and teachers, who live elsewhere, each with a policy."""
        counts = []
        for first, last in ((0, 3), (3, 300)):
            for number in range(first, last):
                if number % 30 == 0:
                    teacher = make_teacher(f"t{number}@school.example", zone="Asia/Tokyo")
                    course = Course.objects.create(title=f"C{number}", slug=f"c{number}")
                    BookingPolicy.objects.create(teacher=teacher, cancel_notice_hours=number)
                starts = at(20, 0) + timedelta(minutes=15 * number)
                ends = starts + timedelta(minutes=15)
                make_lesson(starts, ends, student=student, teacher=teacher, course=course)
            asked = asked_by(as_student, path)
            counts.append(len(asked))
        assert counts[0] == counts[1] <= MOST_QUERIES, asked
        tag = as_student.get(path, headers=HTMX)["ETag"]
        known = asked_by(as_student, path, **HTMX, **{"If-None-Match": tag})
        assert len(known) <= 5, known

    @pytest.mark.parametrize("path", VIEWS)
    def test_so_are_a_teachers(
        self, client: Client, teacher: Teacher, make_lesson: MakeLesson, path: str
    ) -> None:
        client.force_login(teacher.user)
        counts = []
        for first, last in ((0, 3), (3, 60)):
            for number in range(first, last):
                starts = at(20, 7) + timedelta(minutes=15 * number)
                other = make_student(f"s{number}@school.example", zone="Asia/Tokyo")
                make_lesson(starts, starts + timedelta(minutes=15), student=other)
            asked = asked_by(client, path)
            counts.append(len(asked))
        assert counts[0] == counts[1] <= MOST_QUERIES, asked

    @pytest.mark.parametrize("path", VIEWS)
    def test_an_empty_page_costs_no_more(self, as_student: Client, path: str) -> None:
        assert len(asked_by(as_student, path)) <= MOST_QUERIES

    @pytest.mark.parametrize("path", VIEWS)
    def test_scripts_and_styles_are_small(self, as_student: Client, path: str) -> None:
        html = as_student.get(path).content.decode()
        linked = re.findall(r'<script[^>]* src="/static/([^"]+)"', html)
        linked += re.findall(r'<link rel="stylesheet"\s+href="/static/([^"]+)"', html)
        assert len(linked) >= 3
        names = {one for name in linked for one in with_imports(re.sub(r"\?.*", "", name))}
        files = [Path(str(finders.find(name))) for name in names]
        assert sum(len(gzip.compress(file.read_bytes())) for file in files) <= MOST_BYTES, names


def with_imports(name: str) -> Iterator[str]:
    """A static file, and where it is a script, what comes with it."""
    yield name
    if name.endswith(".js"):
        script = Path(str(finders.find(name))).read_text(encoding="utf-8")
        for other in re.findall(r"""^import\b[^"']*["'](\.[^"']+)["']""", script, re.MULTILINE):
            yield from with_imports(posixpath.normpath(f"{posixpath.dirname(name)}/{other}"))


@pytest.mark.django_db
@pytest.mark.usefixtures("many_lessons")
class TestPlan:
    @pytest.mark.parametrize("side", ["student", "teacher"])
    def test_it_uses_both_columns_of_both_indexes(
        self, student: Student, teacher: Teacher, side: str
    ) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE enrollment_lesson SET status = 'cancelled' WHERE id % 4 = 0")
            cursor.execute("ANALYZE enrollment_lesson")
        person: Student | Teacher = student if side == "student" else teacher
        plan = lessons_of(person=person, since=at(1, 0), until=at(31, 0), now=at(14, 0)).explain()
        time = {"student": "period", "teacher": "busy"}[side]
        for index in (f"lesson_{side}_once", f"lesson_{side}_cancelled"):
            assert index in plan, plan
            condition = plan.split(index)[1].split("Index Cond:")[1].split("\n")[0]
            assert f"{side}_id" in condition, plan
            assert f"{time} &&" in condition, plan


@pytest.mark.django_db
def test_policies_of_many_are_those_of_each(
    teacher: Teacher, course: Course, make_lesson: MakeLesson
) -> None:
    from scheduling.queries.availability import policy_for

    other = make_teacher("o@school.example")
    second = Course.objects.create(title="Cello", slug="cello", lesson_minutes=30)
    BookingPolicy.objects.create(move_notice_hours=1, cancel_notice_hours=1, horizon_days=9)
    BookingPolicy.objects.create(course=course, move_notice_hours=2)
    BookingPolicy.objects.create(teacher=teacher, cancel_notice_hours=3, move_notice_hours=3)
    BookingPolicy.objects.create(teacher=teacher, course=course, move_notice_hours=4)
    pairs = [(one, which) for one in (teacher, other) for which in (course, second)]
    found = policies_of({(one.pk, which) for one, which in pairs})
    assert found == {
        (one.pk, which.pk): policy_for(teacher=one, course=which) for one, which in pairs
    }
    lesson = make_lesson(at(20, 9), at(20, 10))
    assert deadlines_of([lesson]) == [(lesson, deadlines(lesson, found[teacher.pk, course.pk]))]
    assert deadlines_of([]) == []


@given(st.integers(2000, 2100), st.integers(1, 12))
def test_a_month_is_whole_weeks_from_monday(year: int, month: int) -> None:
    weeks = weeks_of(year, month)
    assert all(len(week) == 7 and week[0].weekday() == 0 for week in weeks)
    assert {day for week in weeks for day in week if day.month == month} >= {date(year, month, 28)}
    first = date(year, month, 1)
    assert shifted(year, month, 0) == first
    after = shifted(year, month, 1)
    assert after is None or shifted(after.year, after.month, -1) == first


def test_sixty_four_looks() -> None:
    assert len({shown.look_of(course) for course in range(1000)}) == 64
    assert all(
        tint in range(8) and shape in range(8) for tint, shape in map(shown.look_of, range(99))
    )


@given(st.datetimes(max_value=LAST), st.integers(5, 480))
def test_a_lesson_stays_inside_its_day(starts: datetime, minutes: int) -> None:
    row, rows = shown.quarters_of(starts, starts + timedelta(minutes=minutes))
    assert row >= 0
    assert rows >= shown.SHORTEST
    assert row + rows <= shown.QUARTERS
