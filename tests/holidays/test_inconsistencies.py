"""Inconsistent closures are rows for the office: found, said in words, and ended once they are mended."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.test import Client

from config.roles import give_permissions
from enrollment.models import Conflict, Lesson, LessonChange, Teacher
from enrollment.operations.conflicts import find_conflicts
from holidays.domain.closures import Closure, contradictory
from holidays.models import Holiday, HolidayImport, HolidaySource, Region, TeacherRegion
from tests.conftest import Switches, make_user
from tests.scheduling.conftest import NOW, MakeLesson, make_lesson

__all__ = ["make_lesson"]

pytestmark = pytest.mark.django_db

MONDAY = date(2026, 1, 19)
KINDS = ("closures_contradict", "planned_on_holiday", "no_public_holidays", "next_year_missing")


def close(**fields: Any) -> Holiday:
    days = {"first_on": MONDAY, "last_on": MONDAY}
    return Holiday.objects.create(**{"name": "Snow", **days, **fields})


def found(kind: str, *, now: datetime = NOW) -> list[str]:
    """What the office reads of those that are open."""
    from enrollment import detectors

    find_conflicts(now=now)
    detector = detectors.get(kind)
    assert detector is not None
    rows = Conflict.objects.filter(kind=kind, status="open").order_by("key")
    return [detector.words(conflict=one) for one in rows]


def links(client: Client, kind: str) -> list[str]:
    """Each leads to a page that is there."""
    give_permissions()
    client.force_login(make_user("office@school.example", "staff", is_staff=True))
    conflict = Conflict.objects.get(kind=kind)
    page = client.get(f"/admin/enrollment/conflict/{conflict.pk}/change/")
    addresses = [url for _label, url in page.context["links"]]
    assert all(f'href="{url}"' in page.content.decode() for url in addresses)
    assert [client.get(url).status_code for url in addresses] == [200] * len(addresses)
    return addresses


def whole(key: int, name: str, **fields: Any) -> Closure:
    values = {"note": "", "kind": "other", "first_on": MONDAY, "last_on": MONDAY}
    return Closure(key=key, name=name, **{**values, **fields})


SWAP = {"kind": "working_day", "as_weekday": 1}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "Other name"}, True),
        ({"name": "SNOW"}, False),
        ({"starts": 43_200}, True),
        ({"kind": "public", "name": "Other name"}, False),
        ({"first_on": date(2026, 1, 20), "last_on": date(2026, 1, 20), "name": "Later"}, False),
        ({"name": "His", "teachers": frozenset({2})}, False),
        ({"name": "Hers", "teachers": frozenset({1, 2})}, True),
        ({"name": "Nobody's", "teachers": frozenset()}, False),
        ({"name": "Swap", **SWAP}, True),
        ({"name": "Swap", **SWAP, "teachers": frozenset({2})}, False),
    ],
)
def test_what_contradicts(fields: dict[str, Any], expected: bool) -> None:
    one = whole(1, "Snow", teachers=frozenset({1}))
    other = whole(2, **{"name": "Snow", "teachers": frozenset({1}), **fields})
    assert contradictory(one, other) == contradictory(other, one) == expected


def test_two_swaps_and_a_half_day() -> None:
    assert contradictory(whole(1, "A", **SWAP), whole(2, "A", **{**SWAP, "as_weekday": 2}))
    assert not contradictory(whole(1, "A", **SWAP), whole(2, "Half", starts=43_200))


def test_contradicting_closures(client: Client) -> None:
    snow = close()
    swap = close(name="Swap", last_on=date(2026, 1, 20), **SWAP)
    Holiday.objects.create(name="Over", first_on=date(2026, 1, 13), last_on=date(2026, 1, 13))
    Holiday.objects.create(name="As well", first_on=date(2026, 1, 13), last_on=date(2026, 1, 13))
    (words,) = found("closures_contradict")
    assert words.startswith("Mon 19 January 2026: “Snow” and “Swap” contradict each other.")
    assert links(client, "closures_contradict") == [
        f"/admin/holidays/holiday/{pk}/change/" for pk in (snow.pk, swap.pk)
    ]
    close(name="Storm")
    both = found("closures_contradict")
    assert "“Snow” and “Storm” are of one kind, for the same people" in "".join(both)
    assert len(both) == 3
    Holiday.objects.exclude(pk=snow.pk).delete()
    assert found("closures_contradict") == []
    assert Conflict.objects.filter(kind="closures_contradict", status="resolved").count() == 3


def test_lessons_planned_on_a_day_that_was_known(
    client: Client, teacher: Teacher, make_lesson: MakeLesson
) -> None:
    snow = close(known_at=NOW - timedelta(days=2))
    start = datetime(2026, 1, 19, 9, tzinfo=UTC)
    lessons = [
        make_lesson(start + timedelta(hours=hour), start + timedelta(hours=hour + 1))
        for hour in range(3)
    ]
    booked = {"what": LessonChange.What.BOOKED}
    LessonChange.objects.create(lesson=lessons[0], at=NOW - timedelta(days=3), **booked)
    LessonChange.objects.create(lesson=lessons[1], at=NOW - timedelta(days=1), **booked)
    # Nobody knows when the third was planned: it was imported.
    (words,) = found("planned_on_holiday")
    assert words.startswith("1 lesson was planned for “Snow” (Mon 19 January 2026) although")
    assert links(client, "planned_on_holiday") == [f"/admin/holidays/holiday/{snow.pk}/change/"]
    moved = {"what": LessonChange.What.MOVED, "at": NOW - timedelta(hours=1)}
    LessonChange.objects.create(lesson=lessons[0], **moved)
    assert found("planned_on_holiday")[0].startswith("2 lessons were planned")
    # Around one of them, too; around another nothing is ended.
    find_conflicts(now=NOW, lessons=[lessons[0].pk])
    find_conflicts(now=NOW, lessons=[lessons[2].pk])
    assert Conflict.objects.get(kind="planned_on_holiday").status == "open"
    Lesson.objects.filter(pk__in=[one.pk for one in lessons[:2]]).update(status="cancelled")
    assert found("planned_on_holiday") == []


def test_a_region_without_public_holidays(client: Client, teacher: Teacher) -> None:
    bavaria = Region.objects.create(country="DE", subdivision="BY", is_school=True)
    spain, unused = (Region.objects.create(country=country) for country in ("ES", "FR"))
    assert len(found("no_public_holidays")) == 1
    TeacherRegion.objects.create(teacher=teacher, region=spain)
    assert [words.partition(" has no ")[0] for words in found("no_public_holidays")] == [
        "DE-BY",
        "ES",
    ]
    germany = Region.objects.create(country="DE")
    last_year = date(2025, 12, 26)
    close(kind="public", scope="region", region=germany, first_on=last_year, last_on=last_year)
    close(kind="school_break", scope="region", region=spain)
    assert len(found("no_public_holidays")) == 2
    close(kind="public", scope="region", region=germany)
    assert found("no_public_holidays")[0].startswith("ES has no public holidays in 2026")
    Conflict.objects.exclude(status="open").delete()
    assert links(client, "no_public_holidays")[0] == "/admin/holidays/holiday/year/?year=2026"
    # One for the whole school counts everywhere.
    close(kind="public", name="All")
    assert found("no_public_holidays") == []
    assert not unused.teachers.exists()
    assert not bavaria.teachers.exists()


def test_a_year_that_ends_without_the_next(client: Client) -> None:
    source = HolidaySource.objects.create(kind="library", title="Germany", country="DE")
    HolidaySource.objects.create(kind="csv", title="Once")
    made = HolidayImport.objects.create(source=source, first_year=2025, last_year=2026)
    october = datetime(2026, 10, 1, 12, tzinfo=UTC)
    assert found("next_year_missing", now=october - timedelta(days=1)) == []
    (words,) = found("next_year_missing", now=october)
    assert words.startswith("“Germany” had this year’s holidays, and those of 2027 are not")
    assert len(links(client, "next_year_missing")) == 2
    again = HolidayImport.objects.create(source=source, first_year=2027, last_year=2027)
    assert found("next_year_missing", now=october) == []
    again.undone_at = october
    again.save()
    assert len(found("next_year_missing", now=october)) == 1
    close(source=source, source_key="x", first_on=date(2027, 1, 1), last_on=date(2027, 1, 1))
    assert found("next_year_missing", now=october) == []
    made.delete()
    assert found("next_year_missing", now=october.replace(year=2027)) != []


def test_off_they_stay_as_they_are(switches: Switches) -> None:
    """As all that a feature finds: nothing is asked, so nothing ends."""
    close()
    close(name="Storm")
    assert len(found("closures_contradict")) == 1
    switches.kill("ENABLE_HOLIDAY_MANAGEMENT")
    Holiday.objects.all().delete()
    assert len(found("closures_contradict")) == 1
    switches.share(100)


def test_the_number_of_queries_does_not_grow(
    teacher: Teacher, make_lesson: MakeLesson, django_assert_max_num_queries: Any
) -> None:
    from holidays.queries import inconsistencies

    start = datetime(2026, 1, 19, 0, tzinfo=UTC)
    for hour in range(20):
        close(name=f"Day {hour}", known_at=NOW - timedelta(days=2), starts=time(hour))
        lesson = make_lesson(start + timedelta(hours=hour), start + timedelta(hours=hour + 1))
        LessonChange.objects.create(lesson=lesson, at=NOW, what=LessonChange.What.BOOKED)
    with django_assert_max_num_queries(7):
        for detector in inconsistencies.DETECTORS:
            list(detector.find(now=NOW, lessons=None) or ())
