"""Nobody can forget a table: whatever leads to a person is covered by a contributor, or exempt here."""

from typing import Any

import pytest
from django.apps import apps
from django.db.models import Model

from enrollment import personal
from enrollment.models import Student, Teacher, User

PEOPLE = {User, Student, Teacher}
# Leads to people, and keeps nothing about them. Each with the reason.
EXEMPT = {
    "auth.Group": "Roles of the school; who is in one is enrollment.User_groups.",
    "auth.Permission": "Django's own list of what may be done.",
    "auth.Group_permissions": "What a role may do, whoever has it.",
    "enrollment.Course": "Says what is taught; by whom is enrollment.Course_teachers.",
    "holidays.Holiday": "Says when is closed; for which teachers is holidays.Holiday_teachers.",
    "holidays.Holiday_courses": "Says for which courses; who teaches one is enrollment.Course_teachers.",
    "rollback.Flag": "Says how many have a feature; who has it early is rollback.Flag_users.",
    "rollback.Judgment": "What a trigger came to, from counts; which incident it opened.",
    "rollback.Verification": "Whether the school worked; run for which incident.",
    "rollback.ProbeResult": "What one probe found, from counts and times.",
    "rollback.SchemaChange": "What was done to the schema, by which account of the machine; which incident.",
    "rollback.Flag_groups": "Waffle's signals need it; it holds no rows and means nothing.",
}


def leads_to(model: type[Model]) -> set[Any]:
    """Where its own columns and many-to-many tables lead."""
    fields = [*model._meta.local_fields, *model._meta.local_many_to_many]
    return {field.related_model for field in fields if field.related_model} - {model}


def models_about_people() -> set[str]:
    """Every model with a path to a person, however long; other apps' too."""
    models = apps.get_models(include_auto_created=True)
    found: set[Any] = set(PEOPLE)
    while more := {m for m in models if m not in found and leads_to(m) & found}:
        found |= more
    return {model._meta.label for model in found}


def forgotten() -> set[str]:
    covered = {label for part in personal.registered() for label in part.covers}
    return models_about_people() - covered - set(EXEMPT)


def test_every_table_about_people_has_somebody_who_copies_and_erases_it() -> None:
    assert not forgotten(), (
        f"These lead to a person, and nobody copies or erases them: {sorted(forgotten())}. Register a "
        "Contributor that covers them (enrollment/personal.py says how), or exempt them here with "
        "the reason."
    )


def test_nothing_is_covered_or_exempt_that_is_not_there() -> None:
    known = {model._meta.label for model in apps.get_models(include_auto_created=True)}
    named = {label for part in personal.registered() for label in part.covers} | set(EXEMPT)
    assert named <= known, f"No such models: {sorted(named - known)}"


def test_without_its_contributor_a_table_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    others = {part.name: part for part in personal.registered() if part.name[:10] != "unfinished"}
    monkeypatch.setattr(personal, "_contributors", others)
    assert forgotten() == {"rollback.EnrollmentDraft", "rollback.NoReminders"}


def test_the_walk_finds_long_paths_too() -> None:
    found = models_about_people()
    assert {"account.EmailConfirmation", "rollback.EnrollmentDraft", "admin.LogEntry"} <= found
    assert "holidays.HolidaySource" not in found


def test_every_contributor_says_what_becomes_of_it() -> None:
    parts = personal.registered()
    assert [part.name for part in parts][:3] == ["account", "school", "office_notes"]
    assert all(str(part.kept) and str(part.when_erased) for part in parts)
