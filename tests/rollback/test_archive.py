"""Migrations undone and applied again: every row comes home."""

from collections.abc import Iterator
from datetime import date, time, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from enrollment.models import Course, Student, Teacher, User
from holidays.models import Holiday, HolidayImport, HolidaySource
from rollback.models import LedgerEntry, Orphan
from rollback.schema import catalog, reverse
from rollback.schema.digest import Digest, digest
from scheduling.models import AvailabilityRule, BookingPolicy, TimeOff, WaitlistEntry
from tests.conftest import make_student, make_teacher
from tests.rollback.archiving import APPS, bring_home

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def home_again() -> Iterator[None]:
    yield
    bring_home()


@pytest.fixture
def rows() -> None:
    teacher = make_teacher()
    course = Course.objects.create(title="Violin", slug="violin")
    AvailabilityRule.objects.create(teacher=teacher, weekday=0, starts=time(9), ends=time(12))
    now = timezone.now()
    TimeOff.objects.create(teacher=teacher, period=(now, now + timedelta(days=2)))
    HolidaySource.objects.create(
        title="Bavaria", kind="library", country="DE", difference={"a": 1}, compared_at=now
    )
    closed = Holiday.objects.create(
        name="Founders' day", first_on=date(2030, 5, 1), last_on=date(2030, 5, 2), scope="teachers"
    )
    closed.teachers.add(teacher)
    closed.courses.add(course)


def triggers() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
                WHERE NOT tgisinternal AND tgrelid::regclass::text = ANY (%s) ORDER BY 1, 2""",
            [reverse.tables(APPS)],
        )
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def told(do: Any) -> list[str]:
    """What open calendars hear when this is done."""
    with connection.cursor() as cursor:
        cursor.execute("LISTEN calendar_changes")
    do()
    heard = connection.connection.notifies(timeout=0.5)
    return [notice.payload for notice in heard]


def fingerprint() -> dict[str, tuple[Digest, catalog.Shape, list[catalog.ForeignKey]]]:
    with connection.cursor() as cursor:
        return {
            table: (
                digest(cursor, "public", table),
                catalog.shape(cursor, "public", table),
                catalog.foreign_keys(cursor, "public", table),
            )
            for table in reverse.tables(APPS)
        }


def test_away_and_back_every_row_and_the_catalog_are_equal(rows: None) -> None:
    before, with_triggers = fingerprint(), triggers()
    assert with_triggers
    moved = reverse.take_away(apps=APPS)
    assert not reverse.present(APPS)
    assert {name for name in moved.digests if "." not in name} == set(before)
    assert all(
        moved.digests[table] == found[0]
        for table, found in before.items()
        if table != "holidays_holidaysource"
    )
    reverse.bring_back(apps=APPS)
    assert fingerprint() == before
    assert triggers() == with_triggers
    assert not Orphan.objects.exists()
    assert not LedgerEntry.objects.filter(back_at__isnull=True).exists()

    # And it goes on as if nothing had been: numbers, calendars, the database's own clauses.
    (rule,), teacher = AvailabilityRule.objects.all(), Teacher.objects.get()
    further = AvailabilityRule(teacher=teacher, weekday=1, starts=time(9), ends=time(12))
    assert told(further.save)
    assert further.pk == rule.pk + 1
    assert told(Holiday.objects.get().delete)
    teacher.delete()
    assert not AvailabilityRule.objects.exists()


def test_whoever_is_deleted_meanwhile_asks_no_archived_table_and_their_rows_are_set_aside(
    rows: None,
) -> None:
    """By Django's own `migrate`, in both directions, as somebody at a terminal would."""
    teacher, course, student = Teacher.objects.get(), Course.objects.get(), make_student()
    stays = make_teacher("stays@school.example")
    maker = User.objects.create_user("maker@school.example")
    HolidayImport.objects.create(
        source=HolidaySource.objects.get(), first_year=2026, last_year=2026, made_by=maker
    )
    BookingPolicy.objects.create(teacher=stays, course=course, buffer_after=5)
    BookingPolicy.objects.create(teacher=stays, buffer_after=7)
    WaitlistEntry.objects.create(student=student, course=course, created_at=timezone.now())
    for app in APPS:
        call_command("migrate", app, "zero", interactive=False, verbosity=0)
    assert not reverse.present(APPS)
    with CaptureQueriesContext(connection) as asked:
        for one in (student, teacher, course, maker, Student.objects.create(user=teacher.user)):
            one.delete()
        User.objects.exclude(pk=stays.user_id).delete()
    assert not [query for query in asked if any(name in query["sql"] for name in APPS)]

    for app in APPS:
        call_command("migrate", app, interactive=False, verbosity=0)
    assert not LedgerEntry.objects.filter(back_at=None).exists()
    assert list(BookingPolicy.objects.values_list("buffer_after", flat=True)) == [7]
    assert not AvailabilityRule.objects.exists()
    assert not WaitlistEntry.objects.exists()
    assert HolidayImport.objects.get().made_by is None
    aside = Orphan.objects.values_list("entry__table", flat=True)
    assert sorted(aside) == [
        "holidays_holiday_courses",
        "holidays_holiday_teachers",
        "holidays_holidayimport",
        "scheduling_availabilityrule",
        "scheduling_bookingpolicy",
        "scheduling_timeoff",
        "scheduling_waitlistentry",
    ]
    reported = LedgerEntry.objects.get(table="scheduling_timeoff").report
    assert [count for name, count in reported.items() if name.startswith("orphans of")] == [1]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_constraint WHERE NOT convalidated")
        assert cursor.fetchone() == (0,)


def test_definitions_that_a_restore_has_reworded_fit_all_the_same() -> None:
    """PostgreSQL writes a check of a restored database with other casts: found by a rehearsal."""

    def shape(check: str, default: str = "'a'::text") -> catalog.Shape:
        column = catalog.Column(
            type="text", notnull=True, identity=False, generated=False, default=default
        )
        return catalog.Shape(columns={"a": column}, constraints={"c": check}, indexes={})

    made = shape("CHECK (((a)::text = ANY ((ARRAY['x'::character varying])::text[])))")
    restored = shape("CHECK (((a)::text = ANY (ARRAY[('x'::character varying)::text])))")
    assert made != restored
    assert made.fits(restored)
    assert not made.fits(shape("CHECK (((a)::text = ANY (ARRAY[('y'::character varying)::text])))"))
    assert not made.fits(shape(made.constraints["c"], default="'b'::text"))


def test_the_ledger_stays_while_rows_need_it_to_come_home(rows: None) -> None:
    """As whoever undoes its migration finds it, which would take a minute here."""
    undoing = import_module("rollback.migrations.0023_expand_archive").Migration.operations[-1]
    reverse.take_away(apps=APPS)
    with pytest.raises(DatabaseError, match="rollback reapply"), connection.cursor() as cursor:
        cursor.execute(undoing.reverse_sql)
    bring_home()
    with connection.cursor() as cursor:
        cursor.execute(undoing.reverse_sql)
