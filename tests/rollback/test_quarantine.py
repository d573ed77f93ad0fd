"""Poisoned drafts: whatever stands in the columns, no page breaks, and nothing readable is lost."""

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import DataError
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enrollment.models import Course, Enrollment, Student, Teacher, User
from rollback import drafts, expiry, quarantine, reminders, shelf
from rollback.domain.reading import Poison
from rollback.models import EnrollmentDraft
from tests.conftest import Switches, make_teacher
from tests.enrollment.crowd import at_once
from tests.rollback.poison import NOW, poison, the_live_one
from tests.rollback.test_reading import almost_asides, almost_changes, any_json
from tests.rollback.undoing import undone

PAGES = ("calendar:choose", "scheduling:details", "scheduling:confirm", "enrollment:enroll")
MEGABYTES = 10 * 1024 * 1024

POISON = {
    "a list": ('["note", "text"]', Poison.NOT_BY_NAME),
    "a number": ("17", Poison.NOT_BY_NAME),
    "a text": ('"note"', Poison.NOT_BY_NAME),
    "null": ("null", Poison.NOT_BY_NAME),
    "nested": ('{"note": {"a": ["b"]}, "wished_times": "Fridays"}', Poison.NOT_TEXT),
    "numbers": ('{"teacher": 5, "slot": null, "note": true}', Poison.NOT_TEXT),
    "deeper than Python reads": ("[" * 5000 + "]" * 5000, Poison.NOT_BY_NAME),
    "deep beside text": (
        '{"wished_times": "Fridays", "x": ' + "[" * 5000 + "]" * 5000 + "}",
        Poison.NOT_BY_NAME,
    ),
    "more digits than Python reads": ('{"note": ' + "9" * 5000 + "}", Poison.NOT_BY_NAME),
    "ten megabytes": (f'{{"note": "{"x" * MEGABYTES}"}}', Poison.TOO_LARGE),
    "very many names": (
        json.dumps({f"name {n}": "" for n in range(100_000)} | {"wished_times": "Fridays"}),
        Poison.TOO_LARGE,
    ),
}


ASIDES = {
    "no list": '{"note": "text"}',
    "texts": '["note"]',
    "half of one": '[{"name": "note", "value": "Typed in the other tab"}]',
    "a wrong time": (
        '[{"name": "note", "value": "x", "page": "", "at": "yesterday", "open": true}]'
    ),
    "ten megabytes": f'["{"x" * MEGABYTES}"]',
}


def see_every_page(client: Client, course: Course) -> list[tuple[str, int]]:
    """What each answered; a form that says what is missing counts as fine."""
    seen = []
    for page in PAGES:
        url = reverse(page, args=[course.slug])
        seen.append((f"GET {page}", client.get(url).status_code))
    for url in (reverse("drafts:unfinished"), reverse("enrollment:my_courses")):
        seen.append((f"GET {url}", client.get(url).status_code))
    posted = client.post(reverse("calendar:choose", args=[course.slug]), {"note": "typed"})
    # Refused in the form while scheduling is on, turned away by the door while it is off.
    seen.append(("POST", 200 if posted.status_code == 422 else posted.status_code))
    autosave = client.post(reverse("drafts:save", args=[course.slug]), {"note": "typed"})
    return [*seen, ("autosave", autosave.status_code)]


# ---------------------------------------------------------------- every page, every poison


@pytest.mark.parametrize("name", ASIDES)
def test_what_was_set_aside_and_cannot_be_read_is_the_offices(
    client: Client, student: Student, course: Course, name: str, switches: Switches
) -> None:
    bad = poison(student, course, '{"note": "kept"}', aside=ASIDES[name])
    client.force_login(student.user)
    assert {status for _page, status in see_every_page(client, course)} <= {200, 302, 303}
    bad.refresh_from_db(fields=["problem"])
    assert bad.problem == Poison.NOT_ASIDE
    assert the_live_one(student, course).answers["note"] == "typed"


@pytest.mark.parametrize("name", POISON)
@pytest.mark.parametrize("is_on", [True, False], ids=["on", "off"])
def test_poison_breaks_no_page_and_is_set_aside_once(
    client: Client, student: Student, course: Course, switches: Switches, name: str, is_on: bool
) -> None:
    answers, why = POISON[name]
    bad = poison(student, course, answers)
    if not is_on:
        switches.kill()
    client.force_login(student.user)
    seen = see_every_page(client, course)
    assert [one for one in seen if one[1] not in (200, 302, 303)] == []
    bad.refresh_from_db(fields=["quarantined_at", "problem", "finished_at"])
    assert bad.quarantined_at is not None
    assert bad.finished_at is None
    assert bad.problem == why
    assert EnrollmentDraft.objects.count() == 2
    fresh = the_live_one(student, course)
    assert fresh.answers["note"] == "typed"
    assert fresh.follows_unreadable


@pytest.mark.parametrize("name", ["nested", "deep beside text", "very many names"])
def test_text_that_can_be_read_is_carried_into_the_new_draft(
    client: Client, student: Student, course: Course, name: str
) -> None:
    poison(student, course, POISON[name][0], step="details", turned_away_at=NOW)
    fresh = the_live_one(student, course)
    assert fresh.answers["wished_times"] == "Fridays"
    assert (fresh.step, fresh.saved_at, fresh.turned_away_at) == ("details", NOW, NOW)
    client.force_login(student.user)
    page = client.get(reverse("enrollment:enroll", args=[course.slug]))
    assert page.context["form"]["wished_times"].value() == "Fridays"


@pytest.mark.parametrize(
    "page", ["enrollment:enroll", "calendar:choose", "drafts:unfinished", "scheduling:details"]
)
def test_the_student_is_told_in_plain_words_on_every_page_of_the_draft(
    client: Client, student: Student, course: Course, teacher: Teacher, page: str
) -> None:
    slot = "2030-01-08T09:00:00Z"
    answers = {"teacher": str(teacher.pk), "slot": slot, "note": 5}
    poison(student, course, json.dumps(answers))
    client.force_login(student.user)
    url = reverse(page, args=[] if page == "drafts:unfinished" else [course.slug])
    for _look in range(2):
        page_now = client.get(url, follow=True).content.decode()
        assert "the rest is with the school office" in page_now


@pytest.mark.parametrize("version", [0, 2, 32_767])
def test_answers_of_an_unknown_release_are_poison_and_their_texts_are_kept(
    student: Student, course: Course, version: int
) -> None:
    bad = poison(student, course, '{"note": "kept"}', answers_version=version)
    assert the_live_one(student, course).answers == {"note": "kept"}
    bad.refresh_from_db()
    assert bad.problem == Poison.UNKNOWN_VERSION


def test_what_means_nothing_is_no_poison(client: Client, student: Student, course: Course) -> None:
    """Nonsense in a field was typed, or has gone since: it is read as nothing and stays."""
    foreign = make_teacher("other@school.example")
    for teacher_id in ("x", "0", "9" * 30, "²", str(foreign.pk), str(foreign.pk + 100)):
        draft = poison(
            student,
            course,
            json.dumps({"teacher": teacher_id, "slot": "😀", "heard": "x"}),
            step="no such step",
        )
        client.force_login(student.user)
        assert {status for _page, status in see_every_page(client, course)} <= {200, 302, 303}
        assert EnrollmentDraft.objects.get().pk == draft.pk
        draft.delete()


@pytest.mark.parametrize(
    "heard", ["null", "17", '["a"]', '{"p": "x"}', '{"p": 1e400}', "[" * 5000 + "]" * 5000]
)
def test_a_poisoned_count_of_saves_stops_no_save(
    client: Client, student: Student, course: Course, heard: str
) -> None:
    draft = poison(student, course, '{"note": "before"}', heard=heard)
    client.force_login(student.user)
    typed = {"note": "after", "save_page": "p", "save_count": "1"}
    assert client.post(reverse("drafts:save", args=[course.slug]), typed).status_code == 200
    draft.refresh_from_db()
    assert draft.answers == {"note": "after"}
    assert draft.quarantined_at is None


@pytest.mark.parametrize("bad", ['{"note": "\\u0000"}', '{"note": "\\ud800"}', '{"\\u0000": ""}'])
def test_the_database_itself_refuses_what_is_no_text(
    student: Student, course: Course, bad: str
) -> None:
    with pytest.raises(DataError), transaction.atomic():
        poison(student, course, bad)
    poison(student, course, '{"note": "\\u0001\\u001f\\ufffe\\\\u0000"}')
    note = "\x01\x1f\ufffe\\u0000"
    assert the_live_one(student, course).answers == {"note": note}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    answers=st.just({"note": "typed"}) | any_json,
    heard=any_json,
    changes=almost_changes | any_json,
    aside=st.just([]) | almost_asides | any_json,
    step=st.text(max_size=20),
    version=st.integers(0, 3),
)
def test_any_json_in_the_columns_breaks_no_page(
    client: Client,
    student: Student,
    course: Course,
    admin: User,
    answers: Any,
    heard: Any,
    changes: Any,
    aside: Any,
    step: str,
    version: int,
) -> None:
    as_json = json.dumps([answers, heard, changes, aside, step])
    if "\\u0000" in as_json or "\\ud" in as_json:
        return  # the database lets neither through, see above
    EnrollmentDraft.objects.all().delete()
    bad = poison(
        student,
        course,
        json.dumps(answers),
        heard=json.dumps(heard),
        changes=json.dumps(changes),
        aside=json.dumps(aside),
        answers_version=version,
        step=step,
    )
    switches = Switches()
    for is_on in (True, False):
        if not is_on:
            switches.kill()
        client.force_login(student.user)
        seen = see_every_page(client, course)
        client.force_login(admin)
        for url in (
            reverse("admin:rollback_enrollmentdraft_changelist"),
            reverse("admin:rollback_enrollmentdraft_change", args=[bad.pk]),
        ):
            seen.append((url, client.get(url).status_code))
        assert [one for one in seen if one[1] not in (200, 302, 303)] == []


# ---------------------------------------------------------------- without a page


@pytest.mark.django_db(transaction=True)
def test_pages_that_meet_poison_at_once_set_it_aside_once(student: Student, course: Course) -> None:
    poison(student, course, POISON["nested"][0])
    look = partial(drafts.open_draft, student=student, course=course)
    save = partial(drafts.save, student=student, course=course, answers={"note": "n"}, now=NOW)
    answers = at_once(*[look] * 5, *[save] * 3)
    assert [answer for answer in answers if isinstance(answer, BaseException)] == []
    assert quarantine.set_aside_drafts().count() == 1
    assert the_live_one(student, course).answers == {"wished_times": "Fridays", "note": "n"}


def test_ten_megabytes_are_never_loaded_by_lists(
    client: Client, student: Student, course: Course, admin: User
) -> None:
    bad = poison(student, course, POISON["ten megabytes"][0])
    client.force_login(admin)
    listed = client.get(reverse("admin:rollback_enrollmentdraft_changelist"))
    [row] = listed.context["cl"].result_list
    assert {"answers", "heard"} <= row.get_deferred_fields()
    page = client.get(reverse("admin:rollback_enrollmentdraft_change", args=[bad.pk]))
    assert "10.0" in page.content.decode()
    assert len(page.content) < 200_000
    assert shelf.has_any(student)
    for found in (
        quarantine.live().get(),
        reminders.REMINDERS.due(now=NOW + timedelta(days=3)).get(),
    ):
        assert {"answers", "heard"} <= found.get_deferred_fields()
    assert expiry.delete_expired(now=NOW + timedelta(days=31)) == 1


def test_a_student_with_poison_can_be_deleted(
    client: Client, course: Course, admin: User, student: Student
) -> None:
    """The admin loads whole rows to say what goes along."""
    poison(student, course, POISON["deeper than Python reads"][0])
    client.force_login(admin)
    url = reverse("admin:enrollment_student_delete", args=[student.pk])
    assert client.get(url).status_code == 200


def test_enrolling_over_poison_ends_it_like_any_other(
    client: Client, student: Student, course: Course
) -> None:
    poison(student, course, POISON["a list"][0])
    client.force_login(student.user)
    url = reverse("enrollment:enroll", args=[course.slug])
    client.get(url)
    assert client.post(url, {"note": "n"}).status_code == 302
    assert Enrollment.objects.count() == 1
    assert drafts.open_draft(student=student, course=course) is None
    # The office still has what could not be read.
    assert quarantine.set_aside_drafts().count() == 1


def test_what_was_set_aside_always_says_why(student: Student, course: Course) -> None:
    draft = poison(student, course, "{}")
    with pytest.raises(Exception, match="draft_set_aside_with_a_problem"), transaction.atomic():
        EnrollmentDraft.objects.filter(pk=draft.pk).update(quarantined_at=NOW)


@pytest.mark.django_db(transaction=True)
def test_the_migrations_can_be_undone_while_drafts_are_set_aside(
    student: Student, course: Course
) -> None:
    """Two drafts of one student and course, of which the old rule allows one."""
    bad = poison(student, course, '{"note": 5}')
    fresh = the_live_one(student, course)
    with undone("0012_expand_draft_reminders"), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, answers::text, finished_at IS NULL FROM rollback_enrollmentdraft ORDER BY id"
        )
        assert cursor.fetchall() == [(bad.pk, '{"note": 5}', False), (fresh.pk, "{}", True)]
    assert the_live_one(student, course).pk == fresh.pk
