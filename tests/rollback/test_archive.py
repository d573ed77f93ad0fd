"""Migrations undone and applied again: every row comes home."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, time, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from enrollment.models import Course
from holidays.models import Holiday, HolidaySource
from rollback.models import LedgerEntry, Orphan
from rollback.schema import catalog, reverse
from rollback.schema.digest import Digest, digest
from scheduling.models import AvailabilityRule, TimeOff
from tests.conftest import make_teacher

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("schema")]

APPS = ("scheduling", "holidays")


@pytest.fixture(autouse=True)
def home_again() -> Iterator[None]:
    yield
    with suppress(reverse.NothingToDo):
        reverse.bring_back(apps=APPS, accept_changes=True)


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
    before = fingerprint()
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
    assert not Orphan.objects.exists()
    assert not LedgerEntry.objects.filter(back_at__isnull=True).exists()


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
