"""Drafts: nothing typed is lost, whatever it is and wherever it was typed."""

import json
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from enrollment.models import Course, Enrollment, Student, Teacher
from enrollment.operations.enroll import enroll
from rollback import drafts
from rollback.domain import answers as pure
from rollback.models import EnrollmentDraft
from tests.conftest import make_student
from tests.enrollment.crowd import at_once

NOW = datetime(2026, 11, 30, 14, 2, tzinfo=UTC)
texts = st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=200), max_size=6)


@given(before=texts, typed=texts)
def test_merging_loses_no_name_and_the_newest_text_wins(
    before: dict[str, str], typed: dict[str, str]
) -> None:
    merged = pure.merge(before, typed)
    assert {**before, **typed}.items() <= {**merged, **typed}.items()
    assert typed.items() <= merged.items()


@given(texts)
def test_what_postgresql_cannot_store_is_taken_out(fields: dict[str, str]) -> None:
    kept = pure.from_post({**fields, "note": "a\x00b", "csrfmiddlewaretoken": "secret"})
    assert kept["note"] == "ab"
    assert "csrfmiddlewaretoken" not in kept
    assert "\x00" not in json.dumps(kept, ensure_ascii=False)


def test_slot_words_come_once_and_can_be_deleted() -> None:
    answers = {"slot": "2026-12-01T09:00:00+00:00", "wished_times": "or Fridays"}
    words = "Tuesday 1 December 2026, 10:00–10:45"
    assert pure.wished_times(answers, words) == f"{words}\nor Fridays"
    # In the original form the student deletes the line: it must not come back.
    edited = pure.merge(answers, {"wished_times": "or Fridays"})
    assert pure.wished_times(edited, words) == "or Fridays"
    # Back in the new flow another slot is chosen: that one is new.
    again = pure.merge(edited, {"slot": "2026-12-02T09:00:00+00:00", "wished_times": "or Fridays"})
    assert pure.wished_times(again, words) == f"{words}\nor Fridays"


def save(student: Student, course: Course, **answers: str) -> EnrollmentDraft:
    return drafts.save(student=student, course=course, answers=answers, now=NOW)


def test_one_live_draft_for_a_student_and_course(student: Student, course: Course) -> None:
    first = save(student, course, note="a")
    second = save(student, course, wished_times="b")
    assert first.pk == second.pk
    assert second.answers == {"note": "a", "wished_times": "b"}


def test_an_emptied_field_stays_empty(student: Student, course: Course) -> None:
    save(student, course, note="a")
    assert save(student, course, note="").answers == {"note": ""}


def test_too_much_is_refused_with_a_sentence_and_the_draft_stays(
    student: Student, course: Course
) -> None:
    save(student, course, note="kept")
    with pytest.raises(drafts.DraftRefused, match="64 KB"):
        save(student, course, note="x" * pure.MOST_BYTES)
    draft = drafts.open_draft(student=student, course=course)
    assert draft is not None
    assert draft.answers == {"note": "kept"}


@pytest.mark.parametrize(
    ("slot", "words"),
    [
        ("2026-12-01T09:00:00+00:00", "Tuesday 1 December 2026, 10:00–10:45 (Europe/Berlin)"),
        # The clocks go back at 01:00 UTC: the lesson ends on the same clock it began on.
        ("2026-10-25T00:30:00+00:00", "Sunday 25 October 2026, 02:30–02:15 (Europe/Berlin)"),
        ("whenever", "whenever"),
        ("2026-12-01T09:00:00", "2026-12-01T09:00:00"),
    ],
)
def test_the_slot_in_words(
    student: Student, course: Course, teacher: Teacher, slot: str, words: str
) -> None:
    draft = save(student, course, teacher=str(teacher.pk), slot=slot, note="n")
    initial = drafts.for_original_form(draft)
    assert initial["wished_times"].startswith(words)
    assert initial["teacher"] == str(teacher.pk)
    assert initial["note"] == "n"


@pytest.mark.parametrize("teacher_id", ["", "x", "-1", "9" * 30, "0"])
def test_a_poisoned_teacher_does_not_stop_the_original_form(
    student: Student, course: Course, teacher_id: str
) -> None:
    draft = save(student, course, teacher=teacher_id, note="n")
    assert drafts.for_original_form(draft) == {"teacher": "", "wished_times": "", "note": "n"}


def test_enrolling_finishes_the_draft_and_a_new_one_may_begin(
    student: Student, course: Course
) -> None:
    draft = save(student, course, note="a")
    made = enroll(
        student=student,
        course=course,
        teacher=None,
        wished_times="",
        note="a",
        flow=Enrollment.Flow.ORIGINAL,
        now=datetime.now(UTC),
    )
    draft.refresh_from_db()
    assert draft.enrollment == made
    assert draft.finished_at == made.created_at
    assert drafts.open_draft(student=student, course=course) is None


def test_a_save_that_comes_after_the_enrollment_begins_no_new_draft(
    client: Client, student: Student, course: Course
) -> None:
    Enrollment.objects.create(student=student, course=course)
    client.force_login(student.user)
    late = client.post(reverse("drafts:save", args=[course.slug]), {"note": "late"})
    assert late.status_code == 409
    assert "enrolled" in late.json()["error"]
    assert not EnrollmentDraft.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_tabs_that_save_at_once_lose_nothing(student: Student, course: Course) -> None:
    problems: list[Exception] = []

    def type_into(name: str) -> None:
        try:
            for n in range(10):
                save(student, course, **{name: str(n)})
        except Exception as problem:
            problems.append(problem)
        finally:
            connection.close()

    names = [f"field{n}" for n in range(8)]
    threads = [threading.Thread(target=type_into, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert EnrollmentDraft.objects.get().answers == dict.fromkeys(names, "9")


@pytest.mark.django_db(transaction=True)
def test_saving_and_enrolling_at_once_leave_no_draft_beside_the_enrollment(
    student: Student, course: Course
) -> None:
    for _round in range(10):
        Enrollment.objects.all().update(status="cancelled")
        answers = at_once(
            *[partial(save, student, course, note="late")] * 3,
            partial(
                enroll,
                student=student,
                course=course,
                teacher=None,
                wished_times="",
                note="",
                flow=Enrollment.Flow.OFFICE,
                now=datetime.now(UTC),
            ),
        )
        unexpected = [
            a
            for a in answers
            if isinstance(a, Exception) and not isinstance(a, drafts.DraftRefused)
        ]
        assert unexpected == []
        assert drafts.open_draft(student=student, course=course) is None
    with pytest.raises(drafts.DraftRefused):
        save(student, course, note="later still")


def test_an_overtaken_save_changes_nothing(student: Student, course: Course) -> None:
    def arrive(count: int, note: str, page: str = "one") -> None:
        saving = {"save_page": page, "save_count": str(count)}
        drafts.save(student=student, course=course, answers={"note": note, **saving}, now=NOW)

    arrive(2, "newer")
    arrive(1, "older, but late")
    assert EnrollmentDraft.objects.get().answers == {"note": "newer"}
    arrive(1, "another page", page="two")
    assert EnrollmentDraft.objects.get().answers == {"note": "another page"}
    for n in range(20):
        arrive(1, "many pages", page=f"page {n}")
    assert len(EnrollmentDraft.objects.get().heard) == 8


@pytest.mark.parametrize("slot", ["9999-12-31T23:59:00+00:00", "0001-01-01T00:00:00+14:00"])
def test_a_slot_at_the_ends_of_time_does_not_stop_the_original_form(
    student: Student, course: Course, slot: str
) -> None:
    draft = save(student, course, slot=slot, note="n")
    assert drafts.for_original_form(draft)["note"] == "n"


# ---------------------------------------------------------------- the autosave endpoint


def test_autosave_answers_the_students_own_clock(
    client: Client, course: Course, django_assert_max_num_queries: Any
) -> None:
    student = make_student("noor@school.example", zone="Asia/Kolkata")
    client.force_login(student.user)
    with django_assert_max_num_queries(14):
        response = client.post(
            reverse("drafts:save", args=[course.slug]), {"note": "hello", "slot": ""}
        )
    draft = EnrollmentDraft.objects.get()
    assert draft.answers == {"note": "hello", "slot": ""}
    local = draft.saved_at + timedelta(hours=5, minutes=30)
    assert response.json() == {"saved": f"{local:%H:%M}", "version": 1}


def test_autosave_tells_numbered_saves_apart(
    client: Client, student: Student, course: Course
) -> None:
    client.force_login(student.user)
    url = reverse("drafts:save", args=[course.slug])
    for count, note in ((2, "newer"), (1, "older"), ("x", "without a number")):
        client.post(url, {"note": note, "save_page": "p", "save_count": count})
    assert EnrollmentDraft.objects.get().answers == {"note": "without a number"}
    client.post(url, {"note": "oldest", "save_page": "p", "save_count": 1})
    assert EnrollmentDraft.objects.get().answers == {"note": "without a number"}


def test_autosave_refuses_strangers_and_wrong_ways(
    client: Client, course: Course, teacher: Teacher
) -> None:
    url = reverse("drafts:save", args=[course.slug])
    assert client.post(url, {"note": "x"}).status_code == 401
    client.force_login(teacher.user)
    assert client.post(url, {"note": "x"}).status_code == 401
    assert client.get(url).status_code == 405
    assert not EnrollmentDraft.objects.exists()


def test_autosave_of_too_much_and_of_an_unknown_course(
    client: Client, student: Student, course: Course
) -> None:
    client.force_login(student.user)
    url = reverse("drafts:save", args=[course.slug])
    too_long = client.post(url, {"note": "x" * 70_000})
    assert too_long.status_code == 413
    assert "64 KB" in too_long.json()["error"]
    assert client.post(url, {"note": "x" * 400_000}).status_code == 413
    assert client.post(reverse("drafts:save", args=["gone"]), {}).status_code == 404


def test_autosave_wants_the_csrf_token(student: Student, course: Course) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(student.user)
    assert strict.post(reverse("drafts:save", args=[course.slug]), {}).status_code == 403


def test_autosave_works_while_everything_is_off(
    client: Client, student: Student, course: Course, switches: Any
) -> None:
    switches.kill()
    client.force_login(student.user)
    response = client.post(reverse("drafts:save", args=[course.slug]), {"note": "still"})
    assert response.status_code == 200


def test_an_unreadable_draft_does_not_keep_anybody_from_the_original_form(
    client: Client, student: Student, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(drafts, "open_draft", broken)
    client.force_login(student.user)
    assert client.get(reverse("enrollment:enroll", args=[course.slug])).status_code == 200
