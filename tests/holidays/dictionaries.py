"""The library asked without a line of ours, in an interpreter of its own: what our rows are compared with."""

import json
import subprocess
import sys
from typing import Any

# Every date of each place, straight from the library's own dictionary; written apart from
# `holidays.queries.isolated`, and asking for one year at a time.
SCRIPT = """
import json, sys
from holidays import country_holidays
places, years = json.load(sys.stdin)
print(json.dumps({
    place: {
        day.isoformat(): name
        for year in years
        for day, name in country_holidays(
            place[:2], subdiv=place[3:] or None, years=year,
            language=country_holidays(place[:2]).default_language,
        ).items()
        if day.year in years
    }
    for place in places
}))
"""


def own_dictionaries(places: list[str], years: list[int]) -> dict[str, dict[str, str]]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", SCRIPT],
        input=json.dumps([places, years]),
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=120,
    )
    found: Any = json.loads(done.stdout)
    return found  # type: ignore[no-any-return]
