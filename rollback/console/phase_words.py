"""Which phase holds now, since when, and the one thing to do next; in words."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from rollback import exposure, registry
from rollback.console import facts, saying, shown
from rollback.console.readings import Readings
from rollback.models import PhaseRun
from rollback.schema.standing import moment

NAME = "admin:rollback_phaserun_now"


class Holds(StrEnum):
    """How far the school has gone down."""

    UNKNOWN = "unknown"
    ON = "on"
    SOME = "some"
    PAGES = "pages"
    LOGIC = "logic"
    PART = "part"
    TABLES = "tables"


def reached(holds: Holds) -> int | None:
    """The lowest phase that holds; None: none."""
    return {Holds.TABLES: 1, Holds.PART: 1, Holds.LOGIC: 2, Holds.PAGES: 3}.get(holds)


def holds(found: Readings) -> Holds:
    """By what is so, and not by what was asked for: flags may be changed by hand meanwhile."""
    if found.flags is None or found.phases is None:
        return Holds.UNKNOWN
    away = found.phases.away
    if away is not None:
        return Holds.TABLES if away.apps == set(registry.by_admin_app()) else Holds.PART
    on = {flag.name for flag in found.flags if saying.is_on(flag)}
    killed = {flag.name for flag in found.flags if flag.is_killed}
    if not on & of_phase(3):
        # With its master off the API is off too; phase 2 makes sure that no share brings it back.
        return Holds.LOGIC if of_phase(2) <= killed else Holds.PAGES
    everything = all(saying.is_on(flag) and flag.percent == 100 for flag in found.flags)
    return Holds.ON if everything else Holds.SOME


def of_phase(number: int) -> set[str]:
    """The flags that it takes away."""
    return {feature.flag for feature in registry.features() if number in feature.phases}


def since(found: Readings, state: Holds) -> datetime | None:
    """None: nobody knows."""
    if found.phases is None:
        return None
    if found.phases.away is not None:
        return found.phases.away.since
    names = {Holds.LOGIC: of_phase(2) | of_phase(3), Holds.PAGES: of_phase(3)}.get(state)
    changed = found.phases.changed
    times = [changed[flag] for flag in changed if names is None or flag in names]
    return max(times, default=None)


def sentence(found: Readings) -> str:
    """What holds, and for how long."""
    state = holds(found)
    words = _sentences()[state]
    if state in (Holds.TABLES, Holds.PART):
        words = _of_tables(found, words)
    began = since(found, state)
    if state is Holds.UNKNOWN or began is None:
        return words
    lasted = found.now - began
    told = {"since": shown.clock(began), "lasted": shown.minutes(lasted)}
    if lasted < timedelta(minutes=1):
        return words + " " + _("So since %(since)s.") % told
    return words + " " + _("So since %(since)s, for %(lasted)s.") % told


def _sentences() -> Mapping[Holds, str]:
    return {
        Holds.UNKNOWN: _("Which phase holds cannot be read now."),
        Holds.ON: _("No phase is taken: everything is on for everybody."),
        Holds.SOME: _("No phase is taken whole: some of it is on for some."),
        Holds.PAGES: _("Phase 3 holds: the pages are off for everybody."),
        Holds.LOGIC: _("Phase 2 holds: pages, API and tasks are off for everybody."),
        Holds.PART: _(
            "Phase 1 is done in part: only of %(features)s the tables are in the archive."
        ),
        Holds.TABLES: _("Phase 1 holds: the tables are in the archive."),
    }


def _of_tables(found: Readings, words: str) -> str:
    away = found.phases.away if found.phases else None
    if away is None:
        return words
    features = registry.by_admin_app()
    titles = [exposure.title(features[app].flag) for app in sorted(away.apps) if app in features]
    told = {"features": ", ".join(titles), "tables": away.tables}
    if away.purged_at is not None:
        more = _("Their rows were deleted from there on %(on)s.") % {"on": moment(away.purged_at)}
    elif away.rows is None:
        more = _("Its rows are safe in %(tables)s tables, and are still being counted.") % told
    else:
        rows = {"rows": facts.number(away.rows), "tables": away.tables}
        more = _("There are %(rows)s rows in %(tables)s tables.") % rows
    return words % told + " " + more


def live(found: Readings) -> PhaseRun | None:
    newest = found.phases.newest if found.phases else None
    return newest if newest is not None and newest.status in PhaseRun.LIVE else None


def in_the_room(found: Readings) -> dict[str, Any] | None:
    """For the console's page, which leads here."""
    if found.phases is None:
        return None
    run = live(found)
    return {
        "sentence": sentence(found),
        "run": run and _("Under way: %(what)s, %(state)s.") % _told(run),
        "is_down": reached(holds(found)) is not None,
        "url": reverse(NAME),
    }


def _told(run: PhaseRun) -> dict[str, Any]:
    return {"what": run.get_target_display(), "state": run.get_status_display()}


def target_words(target: int, *, whole: bool = False) -> str:
    """As a thing to do. whole: with the phases before it."""
    if whole:
        return _("The whole sequence: phases 3, 2 and 1")
    return {
        PhaseRun.Target.PAGES: _("Phase 3: take the pages away"),
        PhaseRun.Target.LOGIC: _("Phase 2: switch off API and tasks as well"),
        PhaseRun.Target.TABLES: _("Phase 1: put the tables into the archive as well"),
        PhaseRun.Target.BACK: _("Bring the tables back"),
    }[PhaseRun.Target(target)]
