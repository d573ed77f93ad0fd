"""The switchboard as staff use it: in the admin and at the terminal. Every change needs a reason."""

from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from enrollment.models import Student, User
from rollback import audit, incidents, runner
from rollback.audit import Actor, ChangeRefused
from rollback.models import Flag
from tests.rollback.flag_rows import changes

MASTER = "ENABLE_TEACHER_SCHEDULING"

pytestmark = pytest.mark.usefixtures("flag_rows")


@pytest.fixture
def flag(flag_rows: None) -> Flag:
    flag: Flag = Flag.objects.get(name=MASTER)
    return flag


def action(name: str, flag: Flag) -> str:
    return reverse(f"admin:rollback_flag_{name}", args=[flag.pk])


def test_staff_see_share_state_and_how_many_are_on(
    client: Client, staff: User, django_assert_max_num_queries: Any
) -> None:
    client.force_login(staff)
    # Three of them guard what was measured: a savepoint and its own patience.
    with django_assert_max_num_queries(20):
        page = client.get(reverse("admin:rollback_flag_changelist"))
    text = page.content.decode()
    assert text.count("1 of 1 users") == 4
    for title in ("Teacher scheduling", "Calendar", "Availability API", "Holidays"):
        assert title in text


def test_a_share_is_set_with_a_reason(client: Client, admin: User, flag: Flag) -> None:
    client.force_login(admin)
    assert client.get(action("set_share", flag)).status_code == 200
    response = client.post(
        action("set_share", flag), {"percent": "50", "reason": "errors since noon"}
    )
    assert response.status_code == 302
    flag.refresh_from_db()
    assert flag.percent == 50
    change = changes().get()
    assert (change.actor, change.reason) == (admin, "errors since noon")


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ({"percent": "50", "reason": ""}, "required"),
        ({"percent": "50", "reason": "   "}, "required"),
        ({"percent": "101", "reason": "x"}, "less than or equal to 100"),
        ({"percent": "-1", "reason": "x"}, "greater than or equal to 0"),
        ({"percent": "half", "reason": "x"}, "number"),
        ({"percent": "1.005", "reason": "x"}, "2 decimal places"),
    ],
)
def test_bad_input_is_told_at_the_field_and_changes_nothing(
    client: Client, admin: User, flag: Flag, answers: dict[str, str], complaint: str
) -> None:
    client.force_login(admin)
    page = client.post(action("set_share", flag), answers)
    assert page.status_code == 200
    assert complaint in page.content.decode()
    assert not changes().exists()


def test_kill_restore_and_the_one_button(client: Client, admin: User, flag: Flag) -> None:
    client.force_login(admin)
    client.post(action("kill", flag), {"reason": "wrong times"})
    flag.refresh_from_db()
    assert flag.is_killed
    refused = client.post(action("set_share", flag), {"percent": "10", "reason": "x"})
    assert "Restore it first" in refused.content.decode()
    client.post(action("restore", flag), {"percent": "5", "reason": "fixed, carefully"})
    flag.refresh_from_db()
    assert not flag.is_killed
    assert flag.percent == 5
    client.post(reverse("admin:rollback_flag_kill_everything"), {"reason": "emergency"})
    assert Flag.objects.filter(everyone=False).count() == 0
    asked = {"reason": "emergency", "word": "everything"}
    client.post(reverse("admin:rollback_flag_kill_everything"), asked)
    assert Flag.objects.filter(everyone=False).count() == 4


def test_a_get_changes_nothing(client: Client, admin: User, flag: Flag) -> None:
    client.force_login(admin)
    for url in (
        action("kill", flag),
        action("restore", flag),
        reverse("admin:rollback_flag_kill_everything"),
    ):
        assert client.get(url).status_code == 200
    assert not changes().exists()


def test_early_users_need_a_reason_and_leave_an_audit_row(
    client: Client, admin: User, flag: Flag
) -> None:
    client.force_login(admin)
    url = reverse("admin:rollback_flag_change", args=[flag.pk])
    without = client.post(url, {"staff": "on", "users": [admin.pk], "reason": ""})
    assert without.status_code == 200
    assert not changes().exists()
    client.post(url, {"staff": "on", "users": [admin.pk], "reason": "try it first"})
    flag.refresh_from_db()
    assert flag.staff
    assert list(flag.users.all()) == [admin]
    assert changes().get().after["users"] == [admin.pk]


@pytest.mark.parametrize("more", ["staff", "superusers", "users"])
def test_without_the_right_to_raise_nobody_gets_it_early(
    client: Client, staff: User, admin: User, flag: Flag, more: str
) -> None:
    Flag.objects.filter(pk=flag.pk).update(staff=False, superusers=False)
    flag.users.set([admin])
    url = reverse("admin:rollback_flag_change", args=[flag.pk])
    early = changes().filter(action="set early users")
    asked: dict[str, Any] = {"users": [admin.pk], "reason": "for me"}
    asked |= {"users": [admin.pk, staff.pk]} if more == "users" else {more: "on"}
    client.force_login(staff)
    page = client.post(url, asked)
    assert page.status_code == 200
    assert list(page.context["adminform"].form.errors) == [more]
    assert "for administrators" in page.content.decode()
    assert not early.exists()
    client.force_login(admin)
    assert client.post(url, asked).status_code == 302
    assert early.get().actor == admin


def test_whoever_may_change_a_flag_may_take_it_from_who_has_it_early(
    client: Client, staff: User, admin: User, flag: Flag
) -> None:
    Flag.objects.filter(pk=flag.pk).update(staff=True, superusers=True)
    flag.users.set([admin, staff])
    client.force_login(staff)
    url = reverse("admin:rollback_flag_change", args=[flag.pk])
    kept = client.post(url, {"staff": "on", "users": [staff.pk], "reason": "enough seen"})
    assert kept.status_code == 302
    flag.refresh_from_db()
    assert (flag.staff, flag.superusers, list(flag.users.all())) == (True, False, [staff])


def test_flags_are_neither_added_nor_deleted_and_audit_is_only_read(
    client: Client, admin: User, flag: Flag
) -> None:
    client.force_login(admin)
    assert client.get(reverse("admin:rollback_flag_add")).status_code == 403
    assert client.get(reverse("admin:rollback_flag_delete", args=[flag.pk])).status_code == 403
    assert client.get(reverse("admin:rollback_flagchange_add")).status_code == 403
    client.post(action("kill", flag), {"reason": "to be read"})
    audit = client.get(reverse("admin:rollback_flagchange_changelist"))
    assert "to be read" in audit.content.decode()
    assert "killed" in audit.content.decode()


@pytest.mark.parametrize("name", ["set_share", "kill", "restore"])
def test_students_and_strangers_turn_nothing(
    client: Client, student: Student, flag: Flag, name: str
) -> None:
    for login in (False, True):
        if login:
            client.force_login(student.user)
        response = client.post(action(name, flag), {"percent": "0", "reason": "x"})
        assert response.status_code == 302
        assert "login" in response["Location"]
    assert not changes().exists()


@pytest.mark.parametrize("name", ["set-share", "kill", "restore", "audit"])
@pytest.mark.parametrize("pk", ["abc", "999999"])
def test_a_flag_that_is_not_there_is_404(client: Client, admin: User, name: str, pk: str) -> None:
    client.force_login(admin)
    assert client.get(f"/admin/rollback/flag/{pk}/{name}/").status_code == 404


def run(*words: str) -> str:
    out = StringIO()
    call_command("rollback", *words, stdout=out)
    return out.getvalue()


def test_every_refusal_is_said_in_the_readers_language(
    flag: Flag, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (audit, incidents, runner):
        monkeypatch.setattr(module, "_", lambda words: f"°{words}")
    machine = Actor(name="a trigger", automatic=True)
    person = Actor(name="a person")

    def share(percent: str, actor: Actor = person, name: str = MASTER, reason: str = "x") -> Any:
        return runner.set_share(flag=name, percent=Decimal(percent), actor=actor, reason=reason)

    share("50")
    refused: list[Callable[[], Any]] = [
        lambda: share("101"),
        lambda: share("1.005"),
        lambda: share("60", machine),
        lambda: share("60", name="NO_SUCH"),
        lambda: share("60", reason=" "),
        lambda: [share("40", machine), share("30", machine)],
        lambda: incidents.resolve(incident=1, actor=machine, reason="x"),
        lambda: incidents.resolve(incident=0, actor=person, reason="x"),
    ]
    for change in refused:
        with pytest.raises(ChangeRefused, match=r"^°"):
            change()


def test_the_command_sets_kills_restores_and_shows(flag: Flag, student: Student) -> None:
    assert "done" in run("set", MASTER, "12.5", "--reason", "a step")
    assert "12.50 %" in run("status")
    run("kill", "--reason", "all of it")
    assert run("status").count("Killed") == 4
    assert "Nothing to change" in run("kill", "--reason", "again")
    run("restore", MASTER, "--share", "1", "--reason", "back")
    flag.refresh_from_db()
    assert flag.percent == 1
    assert changes().filter(actor_name__startswith="command line").count() == 6


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("set", MASTER, "much", "--reason", "x"), "is no share"),
        (("set", MASTER, "101", "--reason", "x"), "between 0 and 100"),
        (("set", "NO_FLAG", "1", "--reason", "x"), "There are: "),
        (("restore", MASTER, "--reason", "x"), "is not killed"),
        (("kill", MASTER, "--reason", " "), "A reason is needed"),
        (("kill", MASTER), "--reason"),
        (("restore", MASTER, "--share", "nan", "--reason", "x"), "between 0 and 100"),
        (("restore", MASTER, "--share", "12.345", "--reason", "x"), "two decimals"),
    ],
)
def test_the_command_says_what_is_wrong(words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*words)
