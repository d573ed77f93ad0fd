"""Closures in the office: the form, the lists, the year, several at once, and what is said at the fields."""

import re
from datetime import date, time, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.contrib.messages import get_messages
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from config.roles import give_permissions
from enrollment.models import Course, Lesson, Teacher, User
from holidays.models import Holiday, Region, TeacherRegion
from tests.conftest import make_teacher, make_user
from tests.enrollment.test_impact import Plan, at, coming_monday, decide, hidden, plan, rule
from tests.scheduling.conftest import NOW

__all__ = ["plan", "rule"]

pytestmark = pytest.mark.django_db

ADD = "/admin/holidays/holiday/add/"
LIST = "/admin/holidays/holiday/"
SEVERAL = "/admin/holidays/holiday/several/"
YEAR = "/admin/holidays/holiday/year/"
EASTER = date(2026, 4, 6)


@pytest.fixture
def office(client: Client) -> Client:
    give_permissions()
    client.force_login(make_user("office@school.example", "staff", is_staff=True))
    return client


def typed(**fields: Any) -> dict[str, Any]:
    values = {
        "name": "Easter Monday",
        "first_on": "2026-04-06",
        "last_on": "2026-04-06",
        "kind": "public",
        "scope": "school",
    }
    return values | fields


def text(response: Any) -> str:
    return " ".join(unescape(response.content.decode()).split())


def refused(office: Client, **fields: Any) -> dict[str, list[str]]:
    response = office.post(ADD, typed(**fields))
    assert response.status_code == 200
    assert not Holiday.objects.exists()
    found: dict[str, list[str]] = response.context["adminform"].form.errors
    assert all(words in text(response) for said in found.values() for words in said)
    return found


class TestForm:
    def test_everything_is_saved_as_it_is_typed(
        self, office: Client, teacher: Teacher, course: Course
    ) -> None:
        fields = typed(
            kind="other",
            starts="12:00",
            scope="teachers",
            teachers=[teacher.pk],
            note="Concert in the evening.",
            name_de="Probe",
            name_en="",
        )
        assert office.post(ADD, fields).status_code == 302
        found = Holiday.objects.get()
        assert (found.starts, found.ends, found.note) == (time(12), None, "Concert in the evening.")
        assert found.names == {"de": "Probe"}
        assert list(found.teachers.all()) == [teacher]

    def test_names_that_an_import_knows_are_kept(self, office: Client) -> None:
        one = Holiday.objects.create(
            name="Pâques",
            names={"uk": "Великдень", "de": "Ostern"},
            first_on=EASTER,
            last_on=EASTER,
        )
        change = reverse("admin:holidays_holiday_change", args=[one.pk])
        assert 'value="Ostern"' in office.get(change).content.decode()
        assert office.post(change, typed(name_de="", name_en="Easter")).status_code == 302
        one.refresh_from_db()
        assert one.names == {"uk": "Великдень", "en": "Easter"}

    def test_what_is_missing_or_superfluous_is_said_at_the_field(
        self, office: Client, teacher: Teacher, course: Course
    ) -> None:
        region = str(Region.objects.create(country="DE").pk)
        hers, violin = str(teacher.pk), str(course.pk)
        swap = {"kind": "working_day", "as_weekday": "0"}
        cases: list[tuple[dict[str, str], set[str]]] = [
            ({"scope": "region"}, {"region"}),
            ({"scope": "teachers"}, {"teachers"}),
            ({"scope": "courses"}, {"courses"}),
            ({"scope": "nobody"}, {"scope"}),
            ({"region": region}, {"region"}),
            ({"teachers": hers, "courses": violin}, {"teachers", "courses"}),
            ({"scope": "courses", "teachers": hers}, {"teachers", "courses"}),
            ({"kind": "working_day"}, {"as_weekday"}),
            ({"as_weekday": "0"}, {"as_weekday"}),
            (swap | {"starts": "12:00"}, {"starts"}),
            (swap | {"scope": "courses", "courses": violin}, {"scope"}),
            ({"starts": "12:00", "ends": "12:00"}, {"ends"}),
            ({"last_on": "2026-04-05"}, {"last_on"}),
            ({"name": ""}, {"name"}),
            ({"starts": "noon"}, {"starts"}),
        ]
        for fields, where in cases:
            assert set(refused(office, **fields)) == where, fields

    @pytest.mark.parametrize(
        "fields",
        [
            {"kind": "working_day"},
            {"kind": "other", "as_weekday": 0},
            {"kind": "working_day", "as_weekday": 0, "starts": time(12)},
            {"kind": "working_day", "as_weekday": 0, "scope": "courses"},
            {"scope": "region"},
            {"starts": time(12), "ends": time(12)},
        ],
    )
    def test_the_database_refuses_it_too(self, fields: dict[str, Any]) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            Holiday.objects.create(name="X", first_on=EASTER, last_on=EASTER, **fields)

    def test_what_is_entered_already_is_refused(self, office: Client) -> None:
        assert office.post(ADD, typed()).status_code == 302
        again = office.post(ADD, typed())
        assert "“Easter Monday” is already entered for these days." in text(again)
        # Only in the morning it is another one.
        assert office.post(ADD, typed(ends="12:00")).status_code == 302
        assert Holiday.objects.count() == 2

    def test_an_overlap_of_one_kind_is_named(
        self, office: Client, teacher: Teacher, course: Course
    ) -> None:
        other = make_teacher("other@school.example")
        fields = {"kind": "other", "scope": "teachers"}
        one = Holiday.objects.create(name="Training", first_on=EASTER, last_on=EASTER, **fields)
        one.teachers.add(teacher)
        Holiday.objects.create(name="Break", kind="school_break", first_on=EASTER, last_on=EASTER)
        warned = "The same kind is also entered for some of these days: "
        for who, kind, expected in (
            (other, "other", ""),
            (teacher, "public", ""),
            (teacher, "other", "Training (Mon 6 April 2026)"),
        ):
            posted = typed(**{**fields, "kind": kind}, name=f"{who.pk} {kind}", teachers=[who.pk])
            saved = text(office.post(ADD, posted, follow=True))
            assert (warned + expected in saved) if expected else (warned not in saved)

    def test_what_changes_when_it_closes_is_known_from_now_on(self, office: Client) -> None:
        with time_machine.travel(NOW, tick=False):
            one = Holiday.objects.create(name="X", first_on=EASTER, last_on=EASTER, known_at=NOW)
        change = reverse("admin:holidays_holiday_change", args=[one.pk])
        office.post(change, typed(name="Other name", kind="other"))
        one.refresh_from_db()
        assert (one.name, one.known_at) == ("Other name", NOW)
        office.post(change, typed(name="Other name", kind="other", last_on="2026-04-07"))
        one.refresh_from_db()
        assert one.known_at > NOW


class TestList:
    def test_filters_and_search(
        self, office: Client, teacher: Teacher, django_assert_max_num_queries: Any
    ) -> None:
        region = Region.objects.create(country="DE", subdivision="BY")
        rows: list[dict[str, Any]] = [
            {"name": "New Year", "kind": "public"},
            {"name": "Christmas Eve", "starts": time(12)},
            {"name": "Assumption", "scope": "region", "region": region},
            {"name": "Training", "scope": "teachers"},
            {"name": "Saturday", "kind": "working_day", "as_weekday": 3},
        ]
        for number, fields in enumerate(rows):
            day = date(2026 + number % 2, 12, 24)
            one = Holiday.objects.create(first_on=day, last_on=day, **fields)
            if one.scope == "teachers":
                one.teachers.add(teacher)
        with django_assert_max_num_queries(20):
            everything = text(office.get(LIST))
        for words in ("closed from 12:00", "works like a Thursday", "teachers in DE-BY", "Marta"):
            assert words in everything
        for query, count in (
            ("kind=public", 1),
            ("scope=region", 1),
            ("part=part", 1),
            ("part=whole", 4),
            ("year=2026", 3),
            ("year=nonsense", 5),
            ("year=99999", 5),
            (f"region__id__exact={region.pk}", 1),
            ("q=marta", 1),
            ("first_on__lte=2026-12-24&last_on__gte=2026-12-24", 3),
        ):
            assert office.get(f"{LIST}?{query}").context["cl"].result_count == count, query


class TestYear:
    def test_a_year_at_a_glance(
        self, office: Client, teacher: Teacher, course: Course, django_assert_max_num_queries: Any
    ) -> None:
        rows: list[tuple[date, dict[str, Any]]] = [
            (date(2026, 1, 1), {"name": "New Year", "kind": "public"}),
            (date(2026, 12, 24), {"name": "Eve", "starts": time(12)}),
            (date(2026, 2, 28), {"name": "Swap", "kind": "working_day", "as_weekday": 0}),
        ]
        for day, fields in rows:
            Holiday.objects.create(first_on=day, last_on=day, **fields)
        long = Holiday.objects.create(
            name="Christmas break",
            kind="school_break",
            first_on=date(2026, 12, 24),
            last_on=date(2027, 1, 6),
        )
        with time_machine.travel(NOW, tick=False), django_assert_max_num_queries(15):
            page = office.get(YEAR).content.decode()
        assert page.count('class="holiday-month"') == 12
        assert page.count('aria-current="date"') == 1
        shown = " ".join(unescape(page).split())
        assert "Thursday 1 January:" in shown
        assert "New Year (public holiday)" in shown
        assert "Eve (other closure, closed from 12:00)" in shown
        assert "Swap (working day instead, works like a Monday)" in shown
        # Two on Christmas Eve, eight days in all.
        assert page.count("Christmas break (school break)") == 8
        assert f'href="{LIST}?first_on__lte=2026-12-24&amp;last_on__gte=2026-12-24"' in page
        assert page.count(f'href="{LIST}{long.pk}/change/"') == 8
        assert "?year=2025" in page
        assert "?year=2027" in page
        assert "Christmas break" in text(office.get(f"{YEAR}?year=2027"))
        assert "Nothing is entered for 2029" in text(office.get(f"{YEAR}?year=2029"))

    def test_for_whom_one_asks(self, office: Client, teacher: Teacher, course: Course) -> None:
        other = make_teacher("other@school.example")
        germany, bavaria, spain = (
            Region.objects.create(country=country, subdivision=subdivision)
            for country, subdivision in (("DE", ""), ("DE", "BY"), ("ES", ""))
        )
        TeacherRegion.objects.create(teacher=teacher, region=bavaria)
        for name, scope, fields in (
            ("All", "school", {}),
            ("German", "region", {"region": germany}),
            ("Bavarian", "region", {"region": bavaria}),
            ("Spanish", "region", {"region": spain}),
            ("Hers", "teachers", {}),
            ("His", "teachers", {}),
            ("Violin", "courses", {}),
        ):
            one = Holiday.objects.create(
                name=name, first_on=EASTER, last_on=EASTER, scope=scope, **fields
            )
            one.teachers.set({"Hers": [teacher], "His": [other]}.get(name, []))
            one.courses.set([course] if name == "Violin" else [])

        def names(query: str) -> set[str]:
            page = office.get(f"{YEAR}?year=2026&{query}")
            return {entry.name for entry in page.context["entries"]}

        assert len(names("")) == 7
        assert names(f"region={bavaria.pk}") == {"All", "German", "Bavarian"}
        assert names(f"region={germany.pk}") == {"All", "German"}
        assert names(f"teacher={other.pk}") == {"All", "His"}
        hers = {"All", "German", "Bavarian", "Hers", "Violin"}
        assert names(f"teacher={teacher.pk}") == names(f"course={course.pk}") == hers

    @pytest.mark.parametrize("query", ["year=9999", "year=x", "region=999", "teacher=x&year=-1"])
    def test_nonsense_is_said_at_its_field(self, office: Client, query: str) -> None:
        page = office.get(f"{YEAR}?{query}")
        assert page.status_code == 200
        assert page.context["form"].errors


LINES = """2026-12-24; Christmas Eve
31.12.2026 – 1.1.2027; New Year

2026-05-01 - 2026-05-03 ;  Long   weekend"""


def several(office: Client, **fields: Any) -> Any:
    values = {"lines": LINES, "years": "0", "kind": "other", "scope": "school", "step": "check"}
    return office.post(SEVERAL, values | fields)


class TestSeveral:
    def test_looked_at_and_then_entered_together(self, office: Client, teacher: Teacher) -> None:
        answers = {"scope": "teachers", "teachers": [teacher.pk], "years": "1", "note": "Sorry."}
        seen = several(office, **answers)
        assert "These are the 6 closures that will be entered." in text(seen)
        assert "They hit no planned lesson." in text(seen)
        assert not Holiday.objects.exists()
        saved = several(office, **answers, step="save")
        assert saved.headers["Location"] == f"{YEAR}?year=2026"
        found = {(one.name, one.first_on, one.last_on) for one in Holiday.objects.all()}
        assert ("New Year", date(2027, 12, 31), date(2028, 1, 1)) in found
        assert ("Long weekend", date(2026, 5, 1), date(2026, 5, 3)) in found
        assert len(found) == 6
        assert {one.note for one in Holiday.objects.all()} == {"Sorry."}
        assert all(list(one.teachers.all()) == [teacher] for one in Holiday.objects.all())

    def test_wrong_lines_are_named_and_nothing_typed_is_lost(self, office: Client) -> None:
        Holiday.objects.create(name="Known", first_on=EASTER, last_on=EASTER)
        lines = [
            "2026-02-30; No such day",
            "12/24/2026; Which one is the month?",
            "2026-12-26 - 2026-12-24; Backwards",
            "2026-01-01 - 2028-01-01; Long",
            "2026-12-24;",
            f"2026-12-24; {'x' * 121}",
            "2026-04-06; Known",
            "2026-04-07; Twice",
            "2026-04-07; Twice",
            "2026-04-08; Fine",
        ]
        page = several(office, lines="\n".join(lines), years="0")
        assert page.status_code == 422
        said = text(page)
        for number, words in (
            (1, "there is no such day."),
            (2, "write “2026-12-24; Name”"),
            (3, "the last day is before the first."),
            (4, "this is longer than a year."),
            (5, "the name is missing after the semicolon."),
            (6, "the name is longer than 120 letters."),
            (7, "“Known” is already entered for these days."),
            (9, "this stands in a line above, too."),
        ):
            assert f"Line {number}: {words}" in said
        assert "Line 8" not in said
        assert "Line 10" not in said
        assert "12/24/2026; Which one is the month?" in said
        assert Holiday.objects.count() == 1

    def test_what_is_wrong_is_said_once_at_its_field(self, office: Client) -> None:
        many = "\n".join(f"2026-01-01; {number}" for number in range(301))
        cases: list[tuple[dict[str, str], set[str]]] = [
            ({"lines": " \n"}, {"lines"}),
            ({"lines": ""}, {"lines"}),
            ({"lines": many}, {"lines"}),
            ({"lines": "2028-02-29; Leap", "years": "1"}, {"lines"}),
            ({"lines": "2026-04-06; X\n2027-04-06; X", "years": "1"}, {"lines"}),
            ({"years": "99"}, {"years"}),
            ({"kind": "x"}, {"kind"}),
            ({"kind": "working_day"}, {"as_weekday"}),
            ({"scope": "teachers"}, {"teachers"}),
            ({"scope": "courses", "courses": "0"}, {"courses"}),
            ({"starts": "14:00", "ends": "13:00"}, {"ends"}),
        ]
        for fields, where in cases:
            page = several(office, **fields)
            form = page.context["form"]
            assert (page.status_code, set(form.errors)) == (422, where), fields
            assert [len(said) for said in form.errors.values()] == [1] * len(where)
        assert not Holiday.objects.exists()

    def test_lessons_that_are_hit_are_counted_and_decided_about(
        self, office: Client, plan: Plan
    ) -> None:
        day = coming_monday()
        lesson = plan(at(day, 16))
        plan(at(day + timedelta(days=1), 9))
        lines = f"{day}; Snow\n{day + timedelta(days=1)}; Ice"
        asked = {"lines": lines, "starts": "12:00"}
        assert "They hit 1 planned lesson: next you decide" in text(several(office, **asked))
        first = several(office, **asked, step="save")
        assert "This change hits 1 lesson" in text(first)
        assert not Holiday.objects.exists()
        back = office.post(SEVERAL, {**hidden(first.content.decode()), "impact": "back"})
        assert f"{day}; Snow" in text(back)
        done = decide(office, SEVERAL, first, impact__all="credit")
        assert done.headers["Location"].startswith(YEAR)
        lesson.refresh_from_db()
        assert (lesson.status, Holiday.objects.count()) == ("cancelled", 2)
        assert Lesson.objects.filter(status="planned").count() == 1


class TestWhoLivesWhere:
    def test_a_region_and_all_who_live_there_in_one_place(
        self, office: Client, teacher: Teacher
    ) -> None:
        forms = {"teachers-TOTAL_FORMS": "1", "teachers-INITIAL_FORMS": "0"}
        posted = {"country": "DE", "subdivision": "BY", "teachers-0-teacher": teacher.pk, **forms}
        assert office.post("/admin/holidays/region/add/", posted).status_code == 302
        assert str(TeacherRegion.objects.get()) == "Marta Rossi: DE-BY"
        assert "DE-BY" in text(office.get("/admin/holidays/teacherregion/"))
        assert office.get("/admin/holidays/region/").context["cl"].result_list[0].people == 1

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"country": "Germany"}, "at most 2 characters"),
            ({"country": "de"}, "Two capital letters, like DE."),
            ({"country": "DE", "subdivision": "Bavaria"}, "at most 6 characters"),
            ({"country": "ES"}, "This region is already entered."),
            ({"country": "DE", "is_school": "on"}, "The school already has a region"),
        ],
    )
    def test_codes_are_plain(self, office: Client, fields: dict[str, str], words: str) -> None:
        Region.objects.create(country="ES", is_school=True)
        forms = {"teachers-TOTAL_FORMS": "0", "teachers-INITIAL_FORMS": "0"}
        assert words in text(office.post("/admin/holidays/region/add/", {**fields, **forms}))

    def test_moving_to_where_it_is_closed_hits_lessons(
        self, office: Client, teacher: Teacher, plan: Plan
    ) -> None:
        day = coming_monday()
        plan(at(day, 16))
        bavaria = Region.objects.create(country="DE", subdivision="BY")
        Holiday.objects.create(
            name="Assumption", first_on=day, last_on=day, scope="region", region=bavaria
        )
        add = "/admin/holidays/teacherregion/add/"
        asked = office.post(add, {"teacher": teacher.pk, "region": bavaria.pk})
        assert "This change hits 1 lesson" in text(asked)
        assert "Lesson on a holiday: Assumption" in text(asked)
        change = f"/admin/holidays/region/{bavaria.pk}/change/"
        forms = {"teachers-TOTAL_FORMS": "0", "teachers-INITIAL_FORMS": "0"}
        moved = office.post(
            change, {"country": "DE", "subdivision": "BY", "is_school": "on", **forms}
        )
        assert "This change hits 1 lesson" in text(moved)
        assert not TeacherRegion.objects.exists()


class TestImpact:
    """The page between, for each scope, part and swap."""

    @pytest.fixture
    def monday(self, plan: Plan) -> date:
        plan(at(coming_monday(), 16))
        return coming_monday()

    def hits(self, office: Client, url: str, **fields: Any) -> int:
        """By what is said once it is saved without deciding, which costs less than the page between."""
        office.cookies.pop("messages", None)
        with transaction.atomic():
            saved = office.post(url, typed(**fields, impact="later"))
            assert saved.status_code == 302
            said = " ".join(str(one) for one in get_messages(saved.wsgi_request))
            transaction.set_rollback(True)
        found = re.search(r"(\d+) lessons? stays? as", said)
        return int(found[1]) if found else 0

    def test_each_scope(
        self, office: Client, monday: date, teacher: Teacher, course: Course
    ) -> None:
        other = make_teacher("other@school.example")
        choir = Course.objects.create(title="Choir", slug="choir")
        here, there = Region.objects.create(country="DE"), Region.objects.create(country="ES")
        TeacherRegion.objects.create(teacher=teacher, region=here)
        days = {"first_on": monday, "last_on": monday, "kind": "other"}
        cases: list[tuple[dict[str, Any], int]] = [
            ({"scope": "region", "region": here.pk}, 1),
            ({"scope": "region", "region": there.pk}, 0),
            ({"scope": "teachers", "teachers": [teacher.pk, other.pk]}, 1),
            ({"scope": "teachers", "teachers": [other.pk]}, 0),
            ({"scope": "courses", "courses": [course.pk]}, 1),
            ({"scope": "courses", "courses": [choir.pk]}, 0),
            ({"scope": "school"}, 1),
            ({"scope": "school", "ends": "16:00"}, 0),
            ({"scope": "school", "ends": "16:01"}, 1),
            ({"scope": "school", "starts": "16:45"}, 0),
            ({"scope": "school", "starts": "16:44"}, 1),
        ]
        for number, (fields, count) in enumerate(cases):
            assert self.hits(office, ADD, name=f"{number}", **days, **fields) == count, fields

    def test_another_teacher_more_hits_what_is_theirs(
        self, office: Client, monday: date, teacher: Teacher
    ) -> None:
        other = make_teacher("other@school.example")
        fields = {"scope": "teachers", "kind": "other"}
        one = Holiday.objects.create(name="Training", first_on=monday, last_on=monday, **fields)
        one.teachers.add(other)
        change = reverse("admin:holidays_holiday_change", args=[one.pk])
        days = {"name": "Training", "first_on": monday, "last_on": monday, **fields}
        assert self.hits(office, change, **days, teachers=[other.pk, teacher.pk]) == 1
        assert list(one.teachers.all()) == [other]

    def test_a_swap_displaces_what_stood_in_the_hours(
        self, office: Client, monday: date, rule: Any
    ) -> None:
        """Mondays 16 to 20: on a Monday that works like a Tuesday there are no hours."""
        swap = {"kind": "working_day", "first_on": monday, "last_on": monday}
        assert self.hits(office, ADD, **swap, as_weekday="1") == 1
        assert self.hits(office, ADD, **swap, as_weekday="0") == 0

    def test_a_swap_that_is_taken_away_does_too(
        self, office: Client, plan: Plan, rule: Any
    ) -> None:
        saturday = coming_monday() + timedelta(days=5)
        plan(at(saturday, 16))
        swap = Holiday.objects.create(
            name="Swap", kind="working_day", as_weekday=0, first_on=saturday, last_on=saturday
        )
        delete = reverse("admin:holidays_holiday_delete", args=[swap.pk])
        asked = office.post(delete, {"post": "yes"})
        assert "Lesson outside the teacher’s hours" in text(asked)
        assert Holiday.objects.exists()
        # One that closed nothing hits nothing.
        swap.kind, swap.as_weekday = "other", None
        swap.save()
        assert office.post(delete, {"post": "yes"}).status_code == 302


def test_who_may_only_look(client: Client) -> None:
    from django.contrib.auth.models import Permission

    one = Holiday.objects.create(name="X", first_on=EASTER, last_on=EASTER)
    user: User = make_user("looks@school.example", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_holiday"))
    client.force_login(user)
    change = reverse("admin:holidays_holiday_change", args=[one.pk])
    for path in (change, LIST, YEAR):
        assert client.get(path).status_code == 200
    assert client.get(SEVERAL).status_code == 403
    assert client.post(SEVERAL, {"lines": LINES}).status_code == 403
    assert "Add several" not in text(client.get(YEAR))
