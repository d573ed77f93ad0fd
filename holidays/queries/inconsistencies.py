"""What is inconsistent in the closures themselves: rows for the office, each ends once it is mended."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.db.models import Exists, Max, OuterRef, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from enrollment.detectors import Detector
from enrollment.domain.findings import Finding
from enrollment.models import Lesson, LessonChange
from holidays.domain.closures import Closure, contradictory
from holidays.models import Holiday, HolidayImport, HolidaySource, Region, TeacherRegion
from holidays.queries.closures import closures
from holidays.queries.displaced import standing_on_closed_days
from holidays.queries.words import days_in_words

if TYPE_CHECKING:
    from enrollment.models import Conflict

Lessons = Collection[int] | None

CONTRADICTORY = "closures_contradict"
PLANNED_KNOWING = "planned_on_holiday"
NO_PUBLIC = "no_public_holidays"
NEXT_YEAR = "next_year_missing"
AHEAD = timedelta(days=366)
# From then on the next year's holidays are wanted: lessons are booked ahead.
OCTOBER = 10


# ------------------------------------------------------------ closures that contradict each other
def contradicting(*, now: datetime, lessons: Lessons) -> list[Finding]:
    """Those to come. Pairs are looked for among closures that share a day only."""
    if lessons is not None:
        return []
    first = timezone.localdate(now)
    found = closures(first=first, last=first + AHEAD)
    return [
        Finding(
            kind=CONTRADICTORY,
            key=f"{min(one.key, other.key)}-{max(one.key, other.key)}",
            facts={
                "first": one.key,
                "second": other.key,
                "names": [one.name, other.name],
                "from": max(one.first_on, other.first_on).isoformat(),
                "until": min(one.last_on, other.last_on).isoformat(),
                "swap": (one.as_weekday is None) != (other.as_weekday is None),
            },
        )
        for one, other in _sharing_a_day(found)
        if contradictory(one, other)
    ]


def _sharing_a_day(found: Sequence[Closure]) -> Iterator[tuple[Closure, Closure]]:
    """By their first day, as they are given: whoever begins after one has ended meets it no more."""
    open_still: list[Closure] = []
    for one in found:
        open_still = [other for other in open_still if other.last_on >= one.first_on]
        yield from ((other, one) for other in open_still)
        open_still.append(one)


def words_contradicting(*, conflict: "Conflict") -> str:
    facts = conflict.facts
    days = days_in_words(date.fromisoformat(facts["from"]), date.fromisoformat(facts["until"]))
    if facts["swap"]:
        words = gettext(
            "%(days)s: “%(first)s” and “%(second)s” contradict each other. One closes what the other "
            "makes a working day, and closed counts. Change the days of one, or delete it."
        )
    else:
        words = gettext(
            "%(days)s: “%(first)s” and “%(second)s” are of one kind, for the same people, and differ "
            "in name or hours. Delete one, or change its days, kind or people."
        )
    first, second = facts["names"]
    return words % {"days": days, "first": first, "second": second}


def links_contradicting(*, conflict: "Conflict") -> list[tuple[str, str]]:
    pks = (conflict.facts["first"], conflict.facts["second"])
    pairs = zip(conflict.facts["names"], pks, strict=True)
    return [(name, _change(pk)) for name, pk in pairs]


# ------------------------------------------------------------ planned although it was known
def planned_knowing(*, now: datetime, lessons: Lessons) -> list[Finding]:
    """Closures with lessons that were planned or moved there after they were entered: somebody plans
    past the calendar. Each lesson is also a conflict of its own, by which it is moved."""
    on_closed = list(standing_on_closed_days(now=now, lessons=None))
    placed = _placed_at({lesson.pk for lesson, _closed in on_closed})
    known = dict(
        Holiday.objects.filter(
            pk__in={one.key for _lesson, closed in on_closed for one in closed}
        ).values_list("pk", "known_at")
    )
    by_closure: defaultdict[Closure, list[Lesson]] = defaultdict(list)
    for lesson, closed in on_closed:
        for one in closed:
            if lesson.pk in placed and one.key in known and placed[lesson.pk] > known[one.key]:
                by_closure[one].append(lesson)
    return [
        _knowing(one, theirs)
        for one, theirs in by_closure.items()
        if lessons is None or any(lesson.pk in lessons for lesson in theirs)
    ]


def _knowing(one: Closure, lessons: Sequence[Lesson]) -> Finding:
    return Finding(
        kind=PLANNED_KNOWING,
        key=str(one.key),
        lessons=tuple(lesson.pk for lesson in lessons),
        facts={
            "closure": one.key,
            "name": one.name,
            "first": one.first_on.isoformat(),
            "last": one.last_on.isoformat(),
            "lessons": len(lessons),
        },
    )


def _placed_at(lessons: set[int]) -> dict[int, datetime]:
    """When each was put where it is. Nobody knows it of what was imported."""
    placing = Q(what=LessonChange.What.BOOKED) | Q(what=LessonChange.What.MOVED)
    changes = LessonChange.objects.filter(placing, lesson__in=lessons).order_by()
    return dict(changes.values_list("lesson").annotate(at=Max("at")))


def words_planned_knowing(*, conflict: "Conflict") -> str:
    facts = conflict.facts
    words = ngettext(
        "%(count)d lesson was planned for “%(name)s” (%(days)s) although it was entered by then. Move "
        "it, or let that closure end where it is taught.",
        "%(count)d lessons were planned for “%(name)s” (%(days)s) although it was entered by then. "
        "Move them, or let that closure end where it is taught.",
        facts["lessons"],
    )
    days = days_in_words(date.fromisoformat(facts["first"]), date.fromisoformat(facts["last"]))
    return words % {"count": facts["lessons"], "name": facts["name"], "days": days}


def links_planned_knowing(*, conflict: "Conflict") -> list[tuple[str, str]]:
    return [(conflict.facts["name"], _change(conflict.facts["closure"]))]


# ------------------------------------------------------------ holidays that are missing
def without_public_holidays(*, now: datetime, lessons: Lessons) -> list[Finding]:
    """Regions in which somebody lives and that have no public holiday this year."""
    if lessons is not None:
        return []
    year = timezone.localdate(now).year
    public = Holiday.objects.filter(
        kind=Holiday.Kind.PUBLIC, first_on__year__lte=year, last_on__year__gte=year
    )
    here = public.filter(
        Q(scope=Holiday.Scope.SCHOOL)
        | Q(region__country=OuterRef("country"))
        & (Q(region__subdivision="") | Q(region__subdivision=OuterRef("subdivision")))
    )
    lived_in = Exists(TeacherRegion.objects.filter(region=OuterRef("pk")))
    regions = Region.objects.filter(Q(is_school=True) | lived_in, ~Exists(here))
    return [
        Finding(
            kind=NO_PUBLIC,
            key=f"{region.pk}-{year}",
            facts={"region": str(region), "year": year},
        )
        for region in regions
    ]


def words_without_public(*, conflict: "Conflict") -> str:
    words = gettext(
        "%(region)s has no public holidays in %(year)d, so that lessons are offered on them. Import "
        "or enter them; keep it as it is, if there are none."
    )
    said: str = words % conflict.facts
    return said


def links_without_public(*, conflict: "Conflict") -> list[tuple[str, str]]:
    return [_year_of(conflict.facts["year"]), _list_of_sources()]


def without_next_year(*, now: datetime, lessons: Lessons) -> list[Finding]:
    """Sources that had this year's holidays, when the year ends, and not those of the next."""
    today = timezone.localdate(now)
    if lessons is not None or today.month < OCTOBER:
        return []
    sources = HolidaySource.objects.filter(_has(today.year), ~_has(today.year + 1))
    return [
        Finding(
            kind=NEXT_YEAR,
            key=f"{source.pk}-{today.year + 1}",
            facts={"source": source.pk, "title": source.title, "year": today.year + 1},
        )
        for source in sources
    ]


def _has(year: int) -> Q:
    """By an import that was not taken back, or by holidays that are still there."""
    imports = HolidayImport.objects.filter(
        source=OuterRef("pk"), undone_at=None, first_year__lte=year, last_year__gte=year
    )
    rows = Holiday.objects.filter(source=OuterRef("pk"), first_on__year=year)
    return Q(Exists(imports)) | Q(Exists(rows))


def words_without_next_year(*, conflict: "Conflict") -> str:
    words = gettext(
        "“%(title)s” had this year’s holidays, and those of %(year)d are not imported yet. Lessons "
        "can be booked ahead, also on them: import the next year."
    )
    said: str = words % conflict.facts
    return said


def links_without_next_year(*, conflict: "Conflict") -> list[tuple[str, str]]:
    return [_list_of_sources(), _year_of(conflict.facts["year"])]


def _change(pk: int) -> str:
    return reverse("admin:holidays_holiday_change", args=[pk])


def _year_of(year: int) -> tuple[str, str]:
    address = f"{reverse('admin:holidays_holiday_year')}?{urlencode({'year': year})}"
    return gettext("Closures of %(year)d") % {"year": year}, address


def _list_of_sources() -> tuple[str, str]:
    return gettext("Sources"), reverse("admin:holidays_holidaysource_changelist")


DETECTORS = (
    Detector(
        kind=CONTRADICTORY,
        title=_("Closures that contradict each other"),
        find=contradicting,
        words=words_contradicting,
        links=links_contradicting,
    ),
    Detector(
        kind=PLANNED_KNOWING,
        title=_("Lessons planned on a holiday that was known"),
        find=planned_knowing,
        words=words_planned_knowing,
        links=links_planned_knowing,
    ),
    Detector(
        kind=NO_PUBLIC,
        title=_("Region without public holidays"),
        find=without_public_holidays,
        words=words_without_public,
        links=links_without_public,
    ),
    Detector(
        kind=NEXT_YEAR,
        title=_("Next year’s holidays are missing"),
        find=without_next_year,
        words=words_without_next_year,
        links=links_without_next_year,
    ),
)
