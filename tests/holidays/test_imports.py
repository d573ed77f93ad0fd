"""Importing holidays: looked at first, done as it was looked at, done again, taken back."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from config.roles import give_permissions
from enrollment.models import Conflict, Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.conflicts import find_conflicts
from enrollment.operations.office import plan_by_hand
from holidays.admin import import_pages
from holidays.domain.rows import PUBLIC, WORKING_DAY, Note, Reading, Row, numbered
from holidays.models import Holiday, HolidayImport, HolidaySource, Region
from holidays.operations import differences
from holidays.queries.countries import LibraryFailed, Place, Wanted
from holidays.tasks import look_for_differences
from scheduling.models import AvailabilityRule
from tests.conftest import make_user
from tests.holidays.test_calendar_files import FILES, event
from tests.scheduling.conftest import NOW

pytestmark = pytest.mark.django_db

HEAD = "name,first_on,last_on,kind,from\n"


def row(name: str, day: str, **more: Any) -> Row:
    on = date.fromisoformat(day)
    return replace(
        Row(name=name, kind=PUBLIC, first_on=on, last_on=on, names={"de": f"{name} auf Deutsch"}),
        **more,
    )


class Library:
    """Stands in for the library: what it says can change between two imports."""

    def __init__(self) -> None:
        self.rows: list[Row] = [
            row("New Year", "2026-01-01"),
            row("Eid", "2026-03-20"),
            row("May Day", "2026-05-01"),
            row("New Year", "2027-01-01"),
        ]
        self.notes: tuple[Note, ...] = ()

    def __call__(self, wanted: list[Wanted]) -> list[Reading]:
        return [
            Reading(
                rows=numbered(one for one in self.rows if one.first_on.year in asked.years),
                notes=self.notes,
                version="1.0",
            )
            for asked in wanted
        ]

    def change(self, name: str, day: str, **more: Any) -> None:
        self.rows = [
            replace(one, **more) if (one.name, str(one.first_on)) == (name, day) else one
            for one in self.rows
        ]


@pytest.fixture(autouse=True)
def now() -> Iterator[datetime]:
    with time_machine.travel(NOW, tick=False):
        yield NOW


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    germany = Place(
        code="DE",
        name="Germany",
        subdivisions=(("BY", "Bayern"),),
        categories=("public", "school"),
        years=(1990, 2100),
    )
    monkeypatch.setattr(import_pages, "places", lambda: [germany])
    monkeypatch.setattr(import_pages, "public_holidays", made)
    monkeypatch.setattr(differences, "public_holidays", made)
    return made


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    give_permissions()
    client.force_login(staff)
    return client


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:holidays_holidayimport_{name}", args=args)


def choose_country(office: Client, first: int = 2026, last: int = 2026, **more: Any) -> Any:
    posted = {"first_year": first, "last_year": last, "categories": ["public"], "closes": "school"}
    return office.post(url("country", "DE"), posted | more, follow=True)


def choose_file(office: Client, data: str | bytes, name: str = "x.csv", **more: Any) -> Any:
    raw = data if isinstance(data, bytes) else data.encode()
    posted = {"file": SimpleUploadedFile(name, raw), "title": "Breaks", "kind": "other"}
    query = more.pop("query", "")
    years = {"first_year": 2026, "last_year": 2026}
    return office.post(url("file") + query, posted | years | more, follow=True)


def shown(page: Any) -> dict[str, list[str]]:
    """By what becomes of them, the names."""
    return {
        one["state"]: [line["name"] for line in one["rows"]] for one in page.context["sections"]
    }


def confirm(office: Client, page: Any, *, step: str = "import", **choices: str) -> Any:
    """As a browser sends the page; choices: by name, `leave` unticks a box."""
    address = page.redirect_chain[-1][0] if page.redirect_chain else page.request["PATH_INFO"]
    posted = {"looked_at": page.context["looked_at"], "seen": page.context["seen"], "step": step}
    for section in page.context["sections"]:
        for line in section["rows"]:
            chosen = choices.get(line["name"])
            if chosen is None and line["box"] and line["box"]["ticked"]:
                chosen = line["box"]["value"]
            if chosen is None and line["options"]:
                chosen = next(one["value"] for one in line["options"] if one["chosen"])
            if chosen and chosen != "leave":
                posted[f"do-{line['id']}"] = chosen
    return office.post(address, posted, follow=True)


def names() -> list[str]:
    return [f"{one.name} {one.first_on}" for one in Holiday.objects.order_by("first_on", "name")]


def words(page: Any) -> str:
    return re.sub(r"\s+", " ", str(page.content.decode()))


class TestLibrary:
    def test_nothing_is_written_before_it_was_looked_at(
        self, office: Client, library: Library, staff: User
    ) -> None:
        page = choose_country(office)
        assert shown(page) == {"new": ["New Year", "Eid", "May Day"]}
        assert not Holiday.objects.exists()
        done = confirm(office, page)
        assert "Imported." in words(done)
        assert names() == ["New Year 2026-01-01", "Eid 2026-03-20", "May Day 2026-05-01"]
        first = Holiday.objects.get(name="Eid")
        assert (first.kind, first.names) == (PUBLIC, {"de": "Eid auf Deutsch"})
        assert first.source == HolidaySource.objects.get(country="DE", categories=["public"])
        made = HolidayImport.objects.get()
        assert (made.made_by, made.version, made.first_year) == (staff, "1.0", 2026)

    def test_left_out_stays_away_until_it_is_asked_for(
        self, office: Client, library: Library
    ) -> None:
        confirm(office, choose_country(office), **{"May Day": "leave"})
        Holiday.objects.get(name="Eid").delete()
        again = choose_country(office)
        assert shown(again) == {"left_out": ["Eid", "May Day"], "same": ["New Year"]}
        confirm(office, again, Eid="add")
        assert names() == ["New Year 2026-01-01", "Eid 2026-03-20"]
        assert shown(choose_country(office))["left_out"] == ["May Day"]

    def test_the_next_year_is_one_click(self, office: Client, library: Library) -> None:
        confirm(office, choose_country(office))
        before = dict(Holiday.objects.values_list("pk", "known_at"))
        source = HolidaySource.objects.get()
        page = office.post(url("again", source.pk), follow=True)
        assert shown(page) == {"new": ["New Year"]}
        confirm(office, page)
        assert len(names()) == 4
        assert dict(Holiday.objects.filter(pk__in=before).values_list("pk", "known_at")) == before
        assert HolidaySource.objects.count() == 1
        assert "Import 2028" in words(office.get(url("start")))

    def test_again_changes_only_what_changed(self, office: Client, library: Library) -> None:
        confirm(office, choose_country(office))
        rows = {one.name: one for one in Holiday.objects.all()}
        library.change("Eid", "2026-03-20", first_on=date(2026, 3, 21), last_on=date(2026, 3, 21))
        library.rows.remove(next(one for one in library.rows if one.name == "May Day"))
        library.rows.append(row("Unity", "2026-10-03"))
        page = choose_country(office)
        assert shown(page) == {
            "new": ["Unity"],
            "changed": ["Eid"],
            "gone": ["May Day"],
            "same": ["New Year"],
        }
        confirm(office, page)
        assert names() == ["New Year 2026-01-01", "Eid 2026-03-21", "Unity 2026-10-03"]
        after = {one.name: one for one in Holiday.objects.all()}
        assert after["Eid"].pk == rows["Eid"].pk
        last = HolidayImport.objects.latest("pk")
        assert len(last.changes) == 3

    def test_what_a_person_edited_is_left_alone_unless_they_tick_it(
        self, office: Client, library: Library
    ) -> None:
        confirm(office, choose_country(office))
        Holiday.objects.filter(name="Eid").update(name="Eid al-Fitr", note="Come on Monday.")
        Holiday.objects.filter(name="May Day").update(note="A note is nothing the library knows.")
        library.change("Eid", "2026-03-20", first_on=date(2026, 3, 21), last_on=date(2026, 3, 21))
        page = choose_country(office)
        assert shown(page) == {"edited": ["Eid al-Fitr"], "same": ["New Year", "May Day"]}
        for both in ("Fri 20 Mar 2026", "Sat 21 Mar 2026"):
            assert both in words(page)
        confirm(office, page)
        edited = Holiday.objects.get(name="Eid al-Fitr")
        assert edited.first_on == date(2026, 3, 20)
        page = choose_country(office)
        confirm(office, page, **{"Eid al-Fitr": "take"})
        edited.refresh_from_db()
        assert (edited.name, edited.first_on) == ("Eid", date(2026, 3, 21))
        assert edited.note == "Come on Monday."

    def test_kept_though_gone_it_is_the_schools_own(self, office: Client, library: Library) -> None:
        confirm(office, choose_country(office))
        library.rows = [one for one in library.rows if one.name != "May Day"]
        confirm(office, choose_country(office), **{"May Day": "leave"})
        assert Holiday.objects.get(name="May Day").source is None
        assert "gone" not in shown(choose_country(office))

    @pytest.mark.parametrize(
        ("name", "choice", "count", "linked"),
        [
            ("May Day", "", 3, True),
            ("Our outing", "", 3, True),
            ("Our outing", "add", 4, False),
            ("Our outing", "leave", 3, False),
        ],
    )
    def test_what_was_entered_by_hand_is_linked_instead_of_doubled(
        self, office: Client, library: Library, name: str, choice: str, count: int, linked: bool
    ) -> None:
        day = date(2026, 5, 1)
        by_hand = Holiday.objects.create(name=name, first_on=day, last_on=day, kind=PUBLIC)
        page = choose_country(office)
        assert shown(page)["twice"] == ["May Day"]
        confirm(office, page, **({"May Day": choice} if choice else {}))
        assert Holiday.objects.count() == count
        by_hand.refresh_from_db()
        assert (by_hand.source is not None) is linked
        assert by_hand.name == name

    def test_for_teachers_of_a_region(self, office: Client, library: Library) -> None:
        confirm(office, choose_country(office, subdivision="BY", closes="region"))
        region = Region.objects.get()
        assert (region.country, region.subdivision) == ("DE", "BY")
        assert {one.region for one in Holiday.objects.all()} == {region}
        assert shown(choose_country(office, subdivision="BY", closes="region")) == {
            "same": ["New Year", "Eid", "May Day"]
        }

    def test_working_days_come_with_the_weekday_they_work_like(
        self, office: Client, library: Library
    ) -> None:
        library.rows = [row("Working day instead", "2026-01-04", kind=WORKING_DAY, as_weekday=4)]
        page = choose_country(office)
        assert "works like Friday" in words(page)
        confirm(office, page)
        assert Holiday.objects.get().as_weekday == 4

    def test_notes_of_the_library_are_said(self, office: Client, library: Library) -> None:
        library.notes = (Note(code="none_in_year", values={"year": "2027"}),)
        assert "The library knows no holidays of 2027." in words(choose_country(office))

    def test_a_year_without_holidays_is_said_at_its_field(
        self, office: Client, library: Library
    ) -> None:
        library.rows = []
        page = choose_country(office)
        assert page.status_code == 422
        assert page.context["form"].errors["first_year"] == [
            "The library knows no such days of Germany in 2026."
        ]

    @pytest.mark.parametrize(
        ("posted", "field"),
        [
            ({"first_year": "1066"}, "first_year"),
            ({"first_year": "x"}, "first_year"),
            ({"last_year": "2025"}, "last_year"),
            ({"last_year": "2099"}, "last_year"),
            ({"categories": []}, "categories"),
            ({"categories": ["nonsense"]}, "categories"),
            ({"subdivision": "Atlantis"}, "subdivision"),
            ({"closes": "nobody"}, "closes"),
        ],
    )
    def test_what_is_wrong_is_said_at_its_field(
        self, office: Client, library: Library, posted: dict[str, Any], field: str
    ) -> None:
        page = choose_country(office, **posted)
        assert page.status_code == 422
        assert list(page.context["form"].errors) == [field]

    def test_a_library_that_fails_is_said_in_words(
        self, office: Client, library: Library, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_wanted: Any) -> None:
            raise LibraryFailed("slow")

        monkeypatch.setattr(import_pages, "public_holidays", fail)
        page = choose_country(office)
        assert page.status_code == 422
        assert "did not answer in time" in words(page)


class TestConfirming:
    def test_a_plan_that_changed_meanwhile_asks_again(
        self, office: Client, library: Library
    ) -> None:
        page = choose_country(office)
        day = date(2026, 5, 1)
        Holiday.objects.create(name="May Day", first_on=day, last_on=day, kind=PUBLIC)
        again = confirm(office, page, Eid="leave")
        assert again.status_code == 409
        assert "somebody has changed these holidays" in words(again)
        assert Holiday.objects.count() == 1
        ticked = {
            line["name"]: line["box"]["ticked"]
            for section in again.context["sections"]
            for line in section["rows"]
            if line["box"]
        }
        assert ticked == {"New Year": True, "Eid": False}

    def test_a_preview_is_for_its_person_and_once(
        self, office: Client, library: Library, admin: User
    ) -> None:
        page = choose_country(office)
        address = page.redirect_chain[-1][0]
        other = Client()
        other.force_login(admin)
        assert "no longer here" in words(other.get(address, follow=True))
        confirm(office, page)
        assert "no longer here" in words(confirm(office, page))
        assert Holiday.objects.count() == 3

    def test_forged_choices_are_the_plans_own(self, office: Client, library: Library) -> None:
        page = choose_country(office)
        confirm(office, page, **{"Eid": "delete", "May Day": "x"})
        assert HolidayImport.objects.count() == 1
        assert "Eid 2026-03-20" in names()

    def test_lessons_on_closed_time_are_shown_and_become_conflicts(
        self, office: Client, library: Library, teacher: Teacher, student: Student, course: Course
    ) -> None:
        # A lesson that stood wrong before is not hit by the import.
        AvailabilityRule.objects.create(teacher=teacher, weekday=4, starts="16:00", ends="18:00")
        enrollment = Enrollment.objects.create(student=student, course=course, teacher=teacher)
        lesson: Lesson = plan_by_hand(
            enrollment=enrollment, teacher=teacher, on=date(2026, 3, 20), at=time(16), now=NOW
        )
        page = choose_country(office)
        assert page.context["hit_count"] == 1
        assert "Fri 20 March 2026, 16:00" in words(page)
        assert not Holiday.objects.exists()
        without = confirm(office, page, step="look", Eid="leave")
        assert without.context["hit_count"] == 0
        confirm(office, page)
        find_conflicts(now=NOW)
        conflict = Conflict.objects.get(kind="holiday")
        assert list(conflict.lessons.all()) == [lesson]

    @pytest.mark.parametrize("right", ["add_holidayimport", "add_holiday", "delete_holiday"])
    def test_who_lacks_one_of_the_rights_is_refused(self, client: Client, right: str) -> None:
        give_permissions()
        person = make_user("half@school.example", "staff", is_staff=True)
        group = person.groups.get()
        group.permissions.remove(group.permissions.get(codename=right))
        client.force_login(person)
        for name, args in (("start", ()), ("country", ("DE",)), ("file", ()), ("preview", ("x",))):
            assert client.get(url(name, *args)).status_code == 403
            assert client.post(url(name, *args)).status_code == 403


# Since when it is known is another matter.
AS_IT_WAS = [one.attname for one in Holiday._meta.concrete_fields if one.name != "known_at"]


def known() -> dict[str, datetime]:
    return dict(Holiday.objects.values_list("name", "known_at"))


class TestKnownSince:
    """Lessons that were booked before a day was closed were not planned on a closed day."""

    def test_changed_days_are_known_from_the_import_on_and_undone_ones_from_the_undoing_on(
        self, office: Client, library: Library
    ) -> None:
        confirm(office, choose_country(office))
        first = known()
        later = date(2026, 3, 21)
        library.change("Eid", "2026-03-20", first_on=later, last_on=later)
        library.change("New Year", "2026-01-01", names={"de": "Neujahr"})
        library.rows = [one for one in library.rows if one.name != "May Day"]
        imported = NOW + timedelta(days=1)
        with time_machine.travel(imported, tick=False):
            confirm(office, choose_country(office))
        assert known() == {"New Year": first["New Year"], "Eid": imported}
        undone = NOW + timedelta(days=2)
        with time_machine.travel(undone, tick=False):
            office.post(url("undo", HolidayImport.objects.latest("pk").pk))
        assert known() == {"New Year": first["New Year"], "Eid": undone, "May Day": undone}
        # The import before can still be undone: nobody has entered anything else.
        earlier = HolidayImport.objects.earliest("pk")
        assert office.get(url("undo", earlier.pk)).context["left"] == ()


class TestUndo:
    def test_everything_is_as_it_was(
        self, office: Client, library: Library, teacher: Teacher
    ) -> None:
        day = date(2026, 5, 1)
        Holiday.objects.create(name="Our outing", first_on=day, last_on=day, kind=PUBLIC)
        confirm(office, choose_country(office))
        kept = Holiday.objects.get(name="New Year")
        kept.scope, kept.imported = "teachers", None
        kept.save()
        kept.teachers.add(teacher)
        before = list(Holiday.objects.order_by("pk").values(*AS_IT_WAS))
        library.rows = [row("Eid", "2026-03-22"), row("Unity", "2026-10-03")]
        page = choose_country(office)
        assert set(shown(page)) == {"new", "changed", "gone"}
        done = confirm(office, page, **{"New Year": "delete", "Our outing": "delete"})
        last = HolidayImport.objects.latest("pk")
        assert done.redirect_chain[-1][0] == url("change", last.pk)
        assert names() == ["Eid 2026-03-22", "Unity 2026-10-03"]
        asked = office.get(url("undo", last.pk))
        assert not asked.context["left"]
        office.post(url("undo", last.pk))
        assert list(Holiday.objects.order_by("pk").values(*AS_IT_WAS)) == before
        assert list(Holiday.objects.get(name="New Year").teachers.all()) == [teacher]

    def test_what_was_edited_since_is_left_and_named(
        self, office: Client, library: Library
    ) -> None:
        confirm(office, choose_country(office))
        Holiday.objects.filter(name="Eid").update(note="Come on Monday.")
        done = HolidayImport.objects.get()
        assert office.get(url("undo", done.pk)).context["left"] == ("Eid",)
        assert Holiday.objects.count() == 3
        page = office.post(url("undo", done.pk), follow=True)
        assert "somebody has changed them since: Eid." in words(page)
        assert names() == ["Eid 2026-03-20"]
        again = office.post(url("undo", done.pk), follow=True)
        assert "undone already" in words(again)

    @pytest.mark.parametrize("choice", ["take", "delete"])
    def test_what_was_for_a_course_that_is_gone_is_left_and_named(
        self, office: Client, library: Library, course: Course, choice: str
    ) -> None:
        confirm(office, choose_country(office))
        narrowed = Holiday.objects.get(name="Eid")
        narrowed.scope = "courses"
        narrowed.save()
        narrowed.courses.add(course)
        if choice == "take":
            later = date(2026, 3, 21)
            library.change("Eid", "2026-03-20", first_on=later, last_on=later)
        else:
            library.rows = [one for one in library.rows if one.name != "Eid"]
        library.rows.append(row("Unity", "2026-10-03"))
        confirm(office, choose_country(office), Eid=choice)
        course.delete()
        last = HolidayImport.objects.latest("pk")
        assert office.get(url("undo", last.pk)).context["left"] == ("Eid",)
        page = office.post(url("undo", last.pk), follow=True)
        assert "somebody has changed them since: Eid." in words(page)
        assert "Unity 2026-10-03" not in names()

    def test_undone_years_are_not_imported_and_ask_for_everything_anew(
        self, office: Client, library: Library
    ) -> None:
        confirm(office, choose_country(office))
        office.post(url("undo", HolidayImport.objects.get().pk))
        assert "Import 2026" in words(office.get(url("start")))
        page = office.post(url("again", HolidaySource.objects.get().pk), follow=True)
        assert shown(page) == {"new": ["New Year", "Eid", "May Day"]}


class TestDeletingASource:
    def test_its_imports_go_with_it_and_its_holidays_stay(
        self, office: Client, library: Library
    ) -> None:
        confirm(office, choose_country(office))
        source = HolidaySource.objects.get()
        address = reverse("admin:holidays_holidaysource_delete", args=[source.pk])
        page = office.get(address)
        assert not page.context["perms_lacking"]
        office.post(address, {"post": "yes"})
        assert not HolidaySource.objects.exists()
        assert not HolidayImport.objects.exists()
        assert set(Holiday.objects.values_list("source", flat=True)) == {None}
        assert Holiday.objects.count() == 3


class TestFiles:
    def test_a_calendar_and_its_next_file(self, office: Client) -> None:
        data = (FILES / "google.ics").read_bytes()
        page = choose_file(office, data, "google.ics")
        assert len(shown(page)["new"]) == 5
        confirm(office, page)
        source = HolidaySource.objects.get()
        assert (source.kind, source.title) == ("icalendar", "Breaks")
        moved = data.replace(b"20260411", b"20260412").replace(b"6staff@", b"6renamed@")
        query = f"?source={source.pk}"
        page = choose_file(office, moved, "google.ics", query=query)
        # Under new names the meetings are the same ones.
        assert {state: len(found) for state, found in shown(page).items()} == {
            "changed": 1,
            "same": 4,
        }
        confirm(office, page)
        assert Holiday.objects.filter(source_key__startswith="6renamed@").count() == 3
        assert Holiday.objects.get(name="Osterferien").last_on == date(2026, 4, 11)
        refused = choose_file(office, HEAD + "Snow,2026-01-05,,,\n", query=query)
        assert "This source is a calendar file" in words(refused)

    def test_a_break_from_noon_to_noon_over_the_new_year(self, office: Client) -> None:
        data = event("DTSTART:20261223T120000", "DTEND:20270107T120000")
        confirm(office, choose_file(office, data, "x.ics"))
        query = f"?source={HolidaySource.objects.get().pk}"
        again = choose_file(office, data, "x.ics", query=query)
        assert {state: len(found) for state, found in shown(again).items()} == {"same": 2}
        for state in ("new", "same"):
            page = choose_file(office, data, "x.ics", query=query, first_year=2027, last_year=2027)
            assert {one: len(found) for one, found in shown(page).items()} == {state: 1}
            if state == "new":
                confirm(office, page)
        assert list(Holiday.objects.order_by("first_on").values_list("first_on", flat=True)) == [
            date(2026, 12, 23),
            date(2026, 12, 24),
            date(2027, 1, 7),
        ]

    def test_a_table(self, office: Client) -> None:
        region = Region.objects.create(country="AT")
        page = choose_file(office, HEAD + "Snow,2026-01-05,,,14:00\n", region=region.pk)
        confirm(office, page)
        holiday = Holiday.objects.get()
        assert (holiday.starts, holiday.region, holiday.kind) == (time(14), region, "other")

    def test_problems_of_a_table_are_listed_by_line_and_column(self, office: Client) -> None:
        page = choose_file(office, HEAD + "Snow,2026-02-30,,,\n,2026-01-01,,,\n")
        assert page.status_code == 422
        found = page.context["result"]["problems"]
        assert [(one.line, one.column) for one in found] == [(2, "first_on"), (3, "name")]
        assert "there is no such day" in words(page)
        assert "file" in page.context["form"].errors

    @pytest.mark.parametrize(
        ("data", "name", "field", "sentence"),
        [
            (b"PK\x03\x04", "x.xlsx", "file", "This is a workbook"),
            (b"", "x.csv", "file", "empty"),
            (b"x" * (1024 * 1024 + 1), "x.csv", "file", "at most 1.0"),
            (b"hello", "x.ics", "file", "This is no calendar file"),
            (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "x.ics", "file", "end of this calendar"),
            (b"name,first_on\nSnow,2019-01-01\n", "x.csv", "first_year", "closes no day"),
        ],
    )
    def test_a_file_that_is_none(
        self, office: Client, data: bytes, name: str, field: str, sentence: str
    ) -> None:
        page = choose_file(office, data, name)
        assert page.status_code == 422
        assert sentence in str(page.context["form"].errors[field]).replace("\xa0", " ")
        # Nothing that was typed is lost.
        assert 'value="Breaks"' in words(page)

    def test_a_name_that_is_taken(self, office: Client) -> None:
        HolidaySource.objects.create(kind="csv", title="Breaks")
        page = choose_file(office, HEAD + "Snow,2026-01-05,,,\n")
        assert "There is a source of this name" in str(page.context["form"].errors["title"])


class TestDifferences:
    def test_the_night_finds_what_the_library_says_otherwise(
        self, office: Client, library: Library
    ) -> None:
        confirm(office, choose_country(office, last=2027))
        assert look_for_differences() == 0
        source = HolidaySource.objects.get()
        assert (source.difference, source.compared_at) == (None, NOW)
        library.change("Eid", "2026-03-20", first_on=date(2026, 3, 21), last_on=date(2026, 3, 21))
        assert look_for_differences() == 1
        source.refresh_from_db()
        assert source.difference is not None
        assert source.difference["counts"] == {"changed": 1}
        page = office.get(reverse("admin:holidays_holidaysource_changelist") + "?differs=yes")
        assert "1 holiday" in words(page)
        assert "Eid (2026-03-21)" in words(office.get(url("start")))
        compared = office.post(url("again", source.pk), {"years": "known"}, follow=True)
        confirm(office, compared)
        source.refresh_from_db()
        assert source.difference is None
        assert look_for_differences() == 0

    def test_what_a_person_decided_is_no_difference(self, office: Client, library: Library) -> None:
        confirm(office, choose_country(office), **{"May Day": "leave"})
        Holiday.objects.get(name="New Year").delete()
        Holiday.objects.filter(name="Eid").update(name="Eid al-Fitr")
        assert look_for_differences() == 0

    def test_what_is_over_is_not_compared(self, office: Client, library: Library) -> None:
        confirm(office, choose_country(office))
        library.rows = []
        with time_machine.travel("2027-06-01", tick=False):
            assert look_for_differences() == 0
