"""Who and what there is: people, courses, hours. When they meet is in timetable.py."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from importlib.resources import files
from random import Random
from typing import Any

from enrollment.domain.cells import slug_of

SEED = "a school that never was"
STUDENTS = 400
DOMAIN = "school.example"
# Of these the pages and the tests know by name.
TEACHER = f"teacher@{DOMAIN}"
STUDENT = f"student@{DOMAIN}"
# Lessons that several students share, and how many.
SEATS = {"ukulele-for-everyone": 4}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, kw_only=True)
class Hours:
    """A weekly offer on the teacher's own clock; weekday 0 is Monday.

    every_weeks, valid_from: of hours that do not hold every week, which the timetable leaves free.
    """

    weekday: int
    starts: time
    ends: time
    every_weeks: int = 1
    valid_from: date | None = None

    @property
    def minutes(self) -> int:
        return _minutes(self.ends) - _minutes(self.starts)

    def starts_of(self, minutes: int) -> Iterator[time]:
        """Of lessons of that length, one after the other."""
        first = _minutes(self.starts)
        for start in range(first, first + self.minutes - minutes + 1, minutes):
            yield time(start // 60, start % 60)


# The same for every day on which the sample is made; the weeks are counted from it.
EVENINGS = Hours(
    weekday=1, starts=time(18), ends=time(20), every_weeks=2, valid_from=date(2026, 1, 5)
)


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute


@dataclass(frozen=True, kw_only=True)
class Person:
    email: str
    first_name: str
    last_name: str
    zone: str
    subject: str = ""
    bio: str = ""
    hours: tuple[Hours, ...] = ()

    @property
    def weekly_minutes(self) -> int:
        """What is offered in every week, taken or not."""
        return sum(hours.minutes for hours in self.weekly_hours)

    @property
    def weekly_hours(self) -> tuple[Hours, ...]:
        return tuple(hours for hours in self.hours if hours.every_weeks == 1)


@dataclass(frozen=True, kw_only=True)
class Course:
    title: str
    slug: str
    description: str
    teachers: tuple[Person, ...]
    minutes: int
    capacity: int
    seats: int = 1
    opens_on: date | None = None
    closes_on: date | None = None


def dice(what: str) -> Random:
    """One for each purpose, so that a change in one place leaves the others as they were."""
    return Random(f"{SEED}: {what}")  # noqa: S311 - nothing here is secret


def teachers() -> tuple[Person, ...]:
    roll = dice("teachers")
    addresses = _Addresses({"Clara Schäfer": TEACHER})
    made = (
        _person(name, zone, addresses, subject=subject, bio=_bio(subject, roll), hours=_hours(roll))
        for zone, subject, name in _teacher_names()
    )
    return tuple(
        replace(one, hours=(*one.hours, EVENINGS)) if one.email == TEACHER else one for one in made
    )


def students() -> tuple[Person, ...]:
    roll = dice("students")
    addresses = _Addresses({"Nora Lindqvist": STUDENT})
    regions = read_toml("people.toml")["region"]
    weights = [region["weight"] for region in regions]
    drawn = roll.choices(regions, weights, k=STUDENTS - 1)
    named = [
        (
            f"{roll.choice(region['first'])} {roll.choice(region['last'])}",
            roll.choice(region["zones"]),
        )
        for region in drawn
    ]
    return tuple(
        _person(name, zone, addresses)
        for name, zone in [("Nora Lindqvist", "Europe/Berlin"), *named]
    )


def courses(people: Sequence[Person], *, today: date) -> tuple[Course, ...]:
    """Each with one to three teachers of its subject; the least busy ones first."""
    roll = dice("courses")
    load = dict.fromkeys((person.email for person in people), 0)
    made = []
    for subject in read_toml("courses.toml")["subject"]:
        for title, minutes, capacity, description in subject["courses"]:
            able = [person for person in people if person.subject == subject["name"]]
            roll.shuffle(able)
            able.sort(key=lambda person: load[person.email])
            chosen = tuple(able[: roll.choices((1, 2, 3), (4, 4, 2))[0]])
            for person in chosen:
                load[person.email] += 1
            made.append(
                Course(
                    title=title,
                    slug=slug_of(title),
                    description=description,
                    teachers=chosen,
                    minutes=minutes,
                    capacity=capacity,
                    seats=SEATS.get(slug_of(title), 1),
                    opens_on=_season(today) if roll.random() < 0.3 else None,
                )
            )
    return tuple(made)


def _season(today: date) -> date:
    """The first of September before last: long enough ago for a year of lessons."""
    return date((today - timedelta(days=365)).year - 1, 9, 1)


def read_toml(name: str) -> dict[str, Any]:
    return tomllib.loads(files("enrollment.sample").joinpath(name).read_text("utf-8"))


def _teacher_names() -> Iterator[tuple[str, str, str]]:
    """Zone, subject, name."""
    for place in read_toml("people.toml")["teacher"]:
        for subject, names in place.items():
            if subject != "zone":
                yield from ((place["zone"], subject, name) for name in names)


def _person(name: str, zone: str, addresses: "_Addresses", **more: Any) -> Person:
    first, _, last = name.partition(" ")
    return Person(email=addresses.next(name), first_name=first, last_name=last, zone=zone, **more)


class _Addresses:
    """No two people share one, also where they share a name."""

    def __init__(self, fixed: dict[str, str]) -> None:
        self.fixed = fixed
        self.given: set[str] = set()

    def next(self, name: str) -> str:
        local = slug_of(name).replace("-", ".") or "someone"
        address = self.fixed.get(name, f"{local}@{DOMAIN}")
        number = 1
        while address in self.given:
            number += 1
            address = f"{local}{number}@{DOMAIN}"
        self.given.add(address)
        return address


BIOS = {
    "languages": "Grew up with two languages and has collected more since.",
    "music": "Plays in two ensembles and still practices every morning.",
    "science": "Worked in a laboratory before finding out that explaining is more fun.",
    "computing": "Writes software for a living and teaches it for pleasure.",
    "arts": "Keeps sketchbooks, notebooks and far too many exhibition catalogs.",
}


def _bio(subject: str, roll: Random) -> str:
    manner = roll.choice(
        [
            "Patient with beginners.",
            "Likes a challenge.",
            "Speaks slowly when asked.",
            "Laughs often.",
        ]
    )
    return f"{BIOS[subject]} Teaching since {roll.randint(1994, 2022)}. {manner}"


def _hours(roll: Random) -> tuple[Hours, ...]:
    """Four to six days, mornings or afternoons or both: between some 24 and 50 hours a week."""
    days = sorted(
        [*roll.sample(range(5), roll.randint(4, 5)), *([5] if roll.random() < 0.3 else [])]
    )
    blocks = []
    for day in days:
        noon = day < 5 and roll.random() < 0.75
        if not noon or roll.random() < 0.6:
            blocks.append(Hours(weekday=day, starts=time(roll.choice((8, 9))), ends=time(13)))
        if noon:
            blocks.append(Hours(weekday=day, starts=time(14), ends=time(roll.choice((18, 19, 20)))))
    return tuple(blocks)
