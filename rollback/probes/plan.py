"""What is probed, as the site plan names it: rollback knows names only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from rollback.probes.in_process import Browser

Text = str | Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Rows that stay in their table, unless an admin deletes one, which the admin's log knows.

    rows: which must be kept, asked while all is well; some come and go by themselves. fixed: columns
    that never change once a row is there. filled: columns that nobody but an admin empties again.
    may_go: the share of them that people may delete themselves, of which there is no record.
    """

    rows: Callable[[], QuerySet[Any]]
    fixed: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    may_go: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """pages: URL names that must answer with a page; further: one that may lead to another first.

    person: somebody of this role; called in the transaction that is undone, so it may make one.
    """

    name: str
    title: Text
    person: Callable[[], Any]
    pages: tuple[str, ...]
    further: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """apps: whose tables and foreign keys are the ground floor's.

    walk: goes through the original flow, by a browser that has nobody logged in yet; raises
    ProbeFailed, and returns in words the steps it took. flow_pages: a person, and by name the paths
    whose times are compared.
    """

    apps: tuple[str, ...]
    kept: tuple[Kept, ...]
    roles: tuple[Role, ...]
    walk: Callable[[Browser], list[str]]
    flow_pages: Callable[[], tuple[Any, Mapping[str, str]]]


@lru_cache(maxsize=1)
def plan() -> Plan:
    found: Plan = import_string(settings.PROBES)
    return found
