"""Forgetting a switch is impossible: every URL, task and admin page of a feature stands behind a door."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from config.celery import app as celery_app
from enrollment.models import Course, Student, User
from rollback import registry
from rollback.models import Flag
from tests.conftest import Switches

ROOT = Path(settings.BASE_DIR)
GROUND = {"config", "rollback", "enrollment", "tests"}
# Entries that the ground floor shows only while a feature serves them, and why.
OF_FEATURES_ALONE = {"full_course": "The ground floor has no waitlist."}
# Whatever is ours and not the ground, the doors or the site plan is a feature, declared or not.
FEATURE_APPS = {
    config.label
    for config in apps.get_app_configs()
    if Path(config.path).parent == ROOT and config.label not in GROUND
}


@dataclass(frozen=True)
class Address:
    route: str
    namespaces: tuple[str, ...]
    package: str  # the top package of the view's code
    admin_app: str


def addresses(
    patterns: list[Any] | None = None, route: str = "", spaces: tuple[str, ...] = ()
) -> Iterator[Address]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from addresses(pattern.url_patterns, here, inner)
        elif isinstance(pattern, URLPattern):
            yield Address(here, spaces, _package(pattern.callback), _admin_app(pattern.callback))


def _package(view: Any) -> str:
    view = getattr(view, "model_admin", None) or view
    for name in ("cls", "view_class"):
        view = getattr(view, name, view)
    view = inspect.unwrap(view) if callable(view) else type(view)
    return str(getattr(view, "__module__", type(view).__module__)).split(".")[0]


def _admin_app(view: Any) -> str:
    model_admin = getattr(view, "model_admin", None)
    return str(model_admin.opts.app_label) if model_admin else ""


def test_there_are_feature_apps_and_the_walk_finds_their_pages() -> None:
    assert {"scheduling", "holidays"} <= FEATURE_APPS
    found = {address.package for address in addresses()}
    assert {"scheduling", "holidays", "enrollment", "rollback"} <= found


def test_every_url_of_a_feature_app_is_covered() -> None:
    covered = set(registry.by_namespace())
    uncovered = [
        address.route
        for address in addresses()
        if address.package in FEATURE_APPS
        and not covered & set(address.namespaces)
        and address.admin_app not in registry.by_admin_app()
    ]
    assert uncovered == []


def test_every_admin_page_of_a_feature_app_is_covered() -> None:
    labels = {model._meta.app_label for model in admin.site._registry} & FEATURE_APPS
    assert labels <= set(registry.by_admin_app())


def test_every_task_of_a_feature_app_is_covered() -> None:
    celery_app.loader.import_default_modules()
    tasks = [name for name in celery_app.tasks if name.split(".")[0] in FEATURE_APPS]
    assert tasks
    assert [name for name in tasks if registry.for_task(name) is None] == []
    # A name may be given by hand; the code counts.
    by_code = [
        task.name
        for task in celery_app.tasks.values()
        if type(task).__module__.split(".")[0] in FEATURE_APPS
    ]
    assert [name for name in by_code if registry.for_task(name) is None] == []


def test_the_original_flow_and_the_drafts_stand_behind_no_door() -> None:
    covered = set(registry.by_namespace())
    open_doors = {"enrollment", "rollback", "allauth"}
    gated = [
        address.route
        for address in addresses()
        if address.package in open_doors and covered & set(address.namespaces)
    ]
    assert gated == []


@pytest.mark.django_db
def test_walking_every_feature_url_with_everything_off_reaches_none(
    client: Client, admin: User, course: Course, student: Student, switches: Switches
) -> None:
    """Not by reading the table but by knocking, as an administrator, at each door."""
    switches.kill()
    client.force_login(admin)
    fill = {"course": course.slug, "on": "2026-12-07"}
    knocked = 0
    for address in addresses():
        if address.package not in FEATURE_APPS and address.admin_app not in FEATURE_APPS:
            continue
        path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda m: fill.get(m[1], "1"), address.route)
        for ask in (client.get, client.post):
            status = ask(path).status_code
            assert status in (303, 503), f"{path} answered {status} while off"
        knocked += 1
    assert knocked >= 10


def test_the_door_stands_last() -> None:
    assert settings.MIDDLEWARE[-1] == "rollback.doors.middleware.FeatureDoor"


def test_the_worker_runs_every_task_through_the_door() -> None:
    from rollback.doors.worker import FeatureTask

    assert all(
        isinstance(task, FeatureTask)
        for name, task in celery_app.tasks.items()
        if not name.startswith("celery.")
    )


@pytest.mark.django_db
def test_the_site_plan_and_the_flags_in_the_database_agree(flag_rows: None) -> None:
    in_database = {
        flag.name: flag.requires.name if flag.requires else None
        for flag in Flag.objects.select_related("requires")  # type: ignore[misc]
    }
    assert in_database == {feature.flag: feature.master for feature in registry.features()}


def test_the_ground_floor_names_nobody_upstairs() -> None:
    """Imports are held by import-linter; templates and foreign keys are held here."""
    upstairs = "|".join(sorted(FEATURE_APPS | {"rollback", "drafts", "calendar"}))
    for template in (ROOT / "templates" / "enrollment").rglob("*"):
        if template.is_file():
            found = re.findall(rf"['\"](?:{upstairs})[:/]", template.read_text())
            assert found == [], f"{template} leads up"
    for model in apps.get_app_config("enrollment").get_models():
        for field in model._meta.get_fields():
            if field.is_relation and not field.auto_created and field.related_model:
                related: Any = field.related_model
                assert related._meta.app_label in {"enrollment", "auth", "contenttypes"}, field


def test_entries_and_navigation_lead_to_pages_that_exist() -> None:
    for feature in registry.features():
        for item in feature.nav:
            assert reverse(item.url_name)
        for ground, better in feature.entries.items():
            if ground not in OF_FEATURES_ALONE:
                assert reverse(f"enrollment:{ground}", args=["x"])
            assert reverse(better, args=["x"])
