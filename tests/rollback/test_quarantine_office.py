"""What could not be read is the office's: found, read as text, given back or deleted."""

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from enrollment.models import Course, Enrollment, Student, Teacher, User
from rollback import drafts, quarantine
from rollback.domain import answers as pure
from rollback.models import EnrollmentDraft
from tests.rollback.poison import NOW, poison, the_live_one


def office(name: str, draft: Model) -> str:
    return reverse(f"admin:rollback_enrollmentdraft_{name}", args=[draft.pk])


@pytest.fixture
def unreadable(student: Student, course: Course) -> EnrollmentDraft:
    bad = poison(student, course, '{"note": "old note", "wished_times": "Fridays", "x": [1]}')
    the_live_one(student, course)
    bad.refresh_from_db()
    return bad


def test_the_office_finds_what_was_set_aside_and_reads_it_as_text(
    client: Client, staff: User, student: Student, course: Course
) -> None:
    bad = poison(student, course, '{"note": "<script>alert(1)</script>", "x": 1}')
    the_live_one(student, course)
    client.force_login(staff)
    changelist = reverse("admin:rollback_enrollmentdraft_changelist")
    found = client.get(changelist, {"state": "unreadable"})
    assert [row.pk for row in found.context["cl"].result_list] == [bad.pk]
    assert "Some of the answers are no text." in found.content.decode()
    for state, count in (("open", 1), ("finished", 0), ("nonsense", 2)):
        listed = client.get(changelist, {"state": state})
        assert len(listed.context["cl"].result_list) == count
    page = client.get(office("change", bad)).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_office_reads_what_waited_for_a_choice_and_cannot_be_read(
    client: Client, staff: User, student: Student, course: Course
) -> None:
    bad = poison(student, course, "{}", aside='[{"name": "note", "value": "half of one"}]')
    the_live_one(student, course)
    client.force_login(staff)
    assert "half of one" in client.get(office("change", bad)).content.decode()


def test_giving_back_puts_what_can_be_read_under_what_was_typed_since(
    client: Client, staff: User, student: Student, course: Course, unreadable: EnrollmentDraft
) -> None:
    drafts.save(
        student=student, course=course, answers={"note": "new note", "wished_times": ""}, now=NOW
    )
    client.force_login(staff)
    assert "read once more" in client.get(office("give_back", unreadable)).content.decode()
    response = client.post(office("give_back", unreadable), follow=True)
    assert "still set aside" in response.content.decode()
    live = the_live_one(student, course)
    assert live.answers == {"note": "new note", "wished_times": "Fridays"}
    assert quarantine.set_aside_drafts().count() == 1


def test_what_this_release_can_read_goes_back_whole(
    client: Client, staff: User, student: Student, course: Course, unreadable: EnrollmentDraft
) -> None:
    EnrollmentDraft.objects.filter(pk=unreadable.pk).update(answers={"note": "readable now"})
    quarantine.live().delete()
    client.force_login(staff)
    client.post(office("give_back", unreadable))
    live = the_live_one(student, course)
    assert live.answers == {"note": "readable now"}
    assert not live.follows_unreadable
    assert not quarantine.set_aside_drafts().exists()


def test_nothing_is_given_back_to_the_enrolled_nor_what_does_not_fit(
    client: Client, staff: User, student: Student, course: Course, unreadable: EnrollmentDraft
) -> None:
    client.force_login(staff)
    long = {"other": "x" * (pure.MOST_BYTES - 40)}
    quarantine.live().update(answers=long)
    refused = client.post(office("give_back", unreadable), follow=True)
    assert "does not fit" in refused.content.decode()
    assert the_live_one(student, course).answers == long
    Enrollment.objects.create(student=student, course=course)
    refused = client.post(office("give_back", unreadable), follow=True)
    assert "enrolled in this course by now" in refused.content.decode()


def test_the_office_deletes_after_being_asked(
    client: Client, staff: User, student: Student, course: Course, unreadable: EnrollmentDraft
) -> None:
    client.force_login(staff)
    assert client.get(office("delete_unreadable", unreadable)).status_code == 200
    assert quarantine.set_aside_drafts().exists()
    client.post(office("delete_unreadable", unreadable))
    assert not quarantine.set_aside_drafts().exists()
    assert not the_live_one(student, course).follows_unreadable


@pytest.mark.parametrize("name", ["give_back", "delete_unreadable"])
def test_only_the_office_and_only_what_was_set_aside(
    client: Client,
    staff: User,
    student: Student,
    teacher: Teacher,
    unreadable: EnrollmentDraft,
    name: str,
) -> None:
    healthy = quarantine.live().get()
    for user in (student.user, teacher.user):
        client.force_login(user)
        assert client.post(office(name, unreadable)).status_code == 302
    client.force_login(staff)
    assert client.post(office(name, healthy)).status_code == 404
    staff.groups.clear()
    staff.user_permissions.clear()
    assert client.post(office(name, unreadable)).status_code == 403
    assert quarantine.set_aside_drafts().get() == unreadable
