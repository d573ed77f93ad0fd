"""Runs in an interpreter of its own (`python -I`), in which `holidays` is the library of public holidays.

Never imported by us: in our processes `holidays` is our app. Reads one question as JSON from stdin:

    {"places": true}
    {"holidays": [{"country": "DE", "subdivision": "BY", "categories": ["public"], "years": [2026, 2027],
                   "languages": ["en", "de"]}, …]}

and answers in JSON. See `holidays.queries.countries` for who asks.
"""

import importlib
import json
import re
import sys
from datetime import date
from typing import Any

library: Any = importlib.import_module("holidays")

IN_ENGLISH = "en_US"
# “Republic Day (from 1pm)”: the only place where the library says it.
FROM = re.compile(r"\(from (\d{1,2})(?::(\d\d))? ?(am|pm)\)")
HALF_DAY = "half_day"


def main() -> None:
    asked = json.load(sys.stdin)
    answer: dict[str, Any] = {"version": library.__version__}
    if asked.get("places"):
        answer["places"] = places()
    else:
        answer["holidays"] = [found(**one) for one in asked["holidays"]]
    json.dump(answer, sys.stdout)


def places() -> list[dict[str, Any]]:
    codes = library.list_supported_countries(include_aliases=False)
    return [place(code, getattr(library, code)) for code in codes]


def place(code: str, country: Any) -> dict[str, Any]:
    # The class that bears the code is empty; the one above it is called as the country is.
    name = next(one.__name__ for one in country.__mro__ if len(one.__name__) > 3)
    called = {value: key for key, value in reversed(country.subdivisions_aliases.items())}
    return {
        "code": code,
        "name": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name),
        "subdivisions": [[one, called.get(one, "")] for one in country.subdivisions],
        "categories": list(country.supported_categories),
        "years": [country.start_year, country.end_year],
    }


def found(
    *,
    country: str,
    subdivision: str,
    categories: list[str],
    years: list[int],
    languages: list[str],
) -> dict[str, Any]:
    days: list[dict[str, Any]] = []
    working: dict[str, int | None] = {}
    for category in categories:

        def named(language: str | None, category: str = category) -> Any:
            return library.country_holidays(
                country,
                subdiv=subdivision or None,
                years=years,
                categories=category,
                language=language,
            )

        # Without one the library would take the language of whoever runs the server.
        own = named(getattr(library, country).default_language)
        known = {one: spoken(own, one) for one in languages}
        names = {one: named(language) for one, language in known.items() if language}
        english = named(IN_ENGLISH) if category == HALF_DAY and IN_ENGLISH in spoken_of(own) else {}
        for day, name in sorted(own.items()):
            if day.year in years:
                days.append(
                    {
                        "day": day.isoformat(),
                        "category": category,
                        "name": name,
                        "key": without_estimated(own, name),
                        "names": {
                            one: theirs[day] for one, theirs in names.items() if day in theirs
                        },
                        "starts": starts(english.get(day, "")) if category == HALF_DAY else None,
                    }
                )
        if category == "public":
            working = {
                day.isoformat(): weekday
                for day, weekday in working_days(own, years).items()
                if day.year in years
            }
    return {"days": days, "working": sorted(working.items())}


def spoken_of(holidays: Any) -> tuple[str, ...]:
    return tuple(holidays.supported_languages or ())


def spoken(holidays: Any, language: str) -> str | None:
    """The library's name for one of our languages; None: it does not speak it of this country."""
    usual = [language, f"{language}_US", language.replace("-", "_")]
    others = [one for one in spoken_of(holidays) if one.split("_")[0] == language]
    return next((one for one in [*usual, *others] if one in spoken_of(holidays)), None)


def without_estimated(holidays: Any, name: str) -> str:
    """What a day is called once it is no longer estimated, so that it is the same one then."""
    label = getattr(holidays, "estimated_label", None)
    if not label:
        return name
    before, _name, after = holidays.tr(label).partition("%s")
    return "; ".join(
        one.removeprefix(before).removesuffix(after) if after else one for one in name.split("; ")
    )


def starts(name: str) -> str | None:
    said = FROM.search(name)
    if not said:
        return None
    hour = int(said[1]) % 12 + (12 if said[3] == "pm" else 0)
    return f"{hour:02}:{said[2] or '00'}"


def working_days(holidays: Any, years: list[int]) -> dict[date, int | None]:
    """Days of weekends on which people work, and whose weekday it is that they work instead of."""
    instead = {}
    for year, entries in getattr(holidays, "special_public_holidays", {}).items():
        for entry in entries if entries and isinstance(entries[0], tuple) else (entries,):
            if len(entry) in (4, 5) and all(isinstance(part, int) for part in entry):
                month, day, from_month, from_day, *other_year = entry
                worked = date(other_year[0] if other_year else year, from_month, from_day)
                instead[worked] = date(year, month, day).weekday()
    # A year's exchanges may be listed with the next year's holidays.
    near = {year + shift for year in years for shift in (0, 1)}
    around = holidays.__class__(
        subdiv=holidays.subdiv, years=sorted(near), categories="public"
    ).weekend_workdays
    return {day: instead.get(day) for day in around if day.year in years}


if __name__ == "__main__":
    main()
