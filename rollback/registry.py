"""The features as the site plan names them. rollback knows them by name only, never by import."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from enrollment.sockets import ActionsFor

Text = str | Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """A link of a feature. `shown_to` decides by role; whether the feature is on is asked before."""

    label: Text
    url_name: str
    shown_to: Callable[[Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Where a person goes instead, and in which words.

    url_name may take the original URL's `course`. to_draft: the original form with the draft in it.
    """

    url_name: str
    words: Text
    to_draft: bool = False


# The URL's keywords -> what has the person as its `user`; None: nobody's.
Bearer = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One kill switch and all that hangs on it.

    name: short, for templates (`features.calendar`). flag: the waffle flag. phases: which of the
    rollback's phases take it away. namespaces, admin_apps, task_prefixes, sockets (the beginnings of
    their paths): what its doors cover.
    entries: ground entry name → the URL name that serves it better while the feature is on.
    because: kind of incident → what people read while that is why it is off, instead of the usual.
    bearers: URL names whose address itself says who asks, for programs that can do no more than read an
    address, and who that is. It is found out before the switch is asked.
    actions: what it lets a person do with an enrollment and with lessons, on the ground floor's pages.
    control: URL names of the ground floor where people without it do the same: what happens to them
    there is what the watch compares with.
    loads: metric → the milliseconds above which a page of it, as a person goes to it, is bad.
    browser_loads: the same as the browsers say it, in metrics of their own.
    steps: URL name → which form it is of the flow in which students enroll; the first is 1. The
    fallback is the first form of the original flow.
    inconsistencies: kinds of conflicts that are about its own data, and not about anybody's lesson.
    runbook: the name of its file in docs/runbooks.
    """

    name: str
    flag: str
    title: Text
    phases: tuple[int, ...]
    fallback: Fallback
    runbook: str
    master: str | None = None
    namespaces: tuple[str, ...] = ()
    api_namespaces: tuple[str, ...] = ()
    admin_apps: tuple[str, ...] = ()
    task_prefixes: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    entries: Mapping[str, str] = field(default_factory=dict)
    nav: tuple[NavItem, ...] = ()
    bearers: Mapping[str, Bearer] = field(default_factory=dict)
    actions: ActionsFor | None = None
    because: Mapping[str, Text] = field(default_factory=dict)
    control: tuple[str, ...] = ()
    loads: Mapping[str, float] = field(default_factory=dict)
    browser_loads: Mapping[str, float] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)
    inconsistencies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FlowPage:
    """flow: as `EnrollmentSession.Flow` has it. step: which form of that flow; the first is 1."""

    flow: str
    step: int


@lru_cache(maxsize=1)
def features() -> tuple[Feature, ...]:
    found: Iterable[Feature] = import_string(settings.FEATURES)
    return tuple(found)


@lru_cache(maxsize=1)
def by_name() -> dict[str, Feature]:
    return {feature.name: feature for feature in features()}


@lru_cache(maxsize=1)
def by_namespace() -> dict[str, Feature]:
    return {
        space: feature
        for feature in features()
        for space in (*feature.namespaces, *feature.api_namespaces)
    }


@lru_cache(maxsize=1)
def by_admin_app() -> dict[str, Feature]:
    return {app: feature for feature in features() for app in feature.admin_apps}


def own_apps() -> frozenset[str]:
    """Those that lie in the project itself; others' lie deeper, with the packages."""
    return frozenset(
        app.label for app in apps.get_app_configs() if Path(app.path).parent == settings.BASE_DIR
    )


def is_built_on(flag: str, apps: Iterable[str]) -> bool:
    """Whether the feature's own tables are among those of these apps."""
    feature = get(flag)
    return feature is not None and not set(feature.admin_apps).isdisjoint(apps)


def for_task(task_name: str) -> Feature | None:
    return next(
        (feature for feature in features() if task_name.startswith(feature.task_prefixes)), None
    )


def for_socket(path: str) -> Feature | None:
    return next((feature for feature in features() if path.startswith(feature.sockets)), None)


def with_masters(feature: Feature) -> tuple[Feature, ...]:
    """It and whatever it needs: one of them that is off takes it away."""
    master = get(feature.master) if feature.master else None
    return (feature, *with_masters(master)) if master else (feature,)


def get(flag: str) -> Feature | None:
    return next((feature for feature in features() if feature.flag == flag), None)


@lru_cache(maxsize=1)
def by_ground_page() -> dict[str, tuple[Feature, ...]]:
    """URL name → the features it stands for while they are off."""
    pages = {page for feature in features() for page in feature.control}
    return {page: tuple(one for one in features() if page in one.control) for page in pages}


@lru_cache(maxsize=1)
def flow_pages() -> dict[str, FlowPage]:
    """URL name → which form of which of the two flows it is."""
    flows = [feature for feature in features() if feature.steps]
    return {feature.fallback.url_name: FlowPage("original", 1) for feature in flows} | {
        page: FlowPage("new", step) for feature in flows for page, step in feature.steps.items()
    }


@lru_cache(maxsize=1)
def flow_flags() -> frozenset[str]:
    """What has to be on for the new flow to be: every feature that has one of its steps."""
    spaces = {page.split(":")[0] for feature in features() for page in feature.steps}
    return frozenset(one.flag for space, one in by_namespace().items() if space in spaces)


@lru_cache(maxsize=1)
def inconsistencies() -> tuple[str, ...]:
    return tuple(kind for feature in features() for kind in feature.inconsistencies)
