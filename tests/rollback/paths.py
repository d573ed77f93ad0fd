"""Every path by which a flag can be changed, in one table: how it is lowered by it, how raised.

Each begins with the calendar at 50 %, early for one person, below a master at 100 %.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import uuid4

import psycopg
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from enrollment.models import User
from rollback import audit, runner
from rollback.models import ALL_FLAGS, Flag, FlagChange, Switchboard
from tests.conftest import make_user
from tests.rollback.flag_rows import SEED, seed_flags

MASTER = "ENABLE_TEACHER_SCHEDULING"
FLAG = "ENABLE_CALENDAR_DISPLAY"
OTHER = "ENABLE_HOLIDAY_MANAGEMENT"
REASON = "a path is tried"


@dataclass(frozen=True, kw_only=True)
class World:
    """early: has the flag early from the start. client: logged in as `boss`."""

    early: User
    late: User
    boss: User
    client: Client

    @property
    def row(self) -> Flag:
        row: Flag = Flag.objects.get(name=FLAG)
        return row


Step = Callable[[World], Any]


@dataclass(frozen=True, kw_only=True)
class Path:
    """prepare: done before, and no part of it. name: whose audit row is asked for.

    A step that is refused raises, or returns the page that says so.
    """

    id: str
    go: Step
    prepare: Step = lambda world: None
    name: str = FLAG
    explained: bool = False


def world() -> World:
    seed_flags()
    boss = User.objects.create_superuser("boss@school.example")
    one = World(
        early=make_user("early@school.example"),
        late=make_user("late@school.example"),
        boss=boss,
        client=Client(),
    )
    one.client.force_login(boss)
    with audit.told(actor=SEED, reason="where each path begins"):
        Flag.objects.filter(name=MASTER).update(percent=100)
        Flag.objects.filter(name=FLAG).update(percent=50)
        one.row.users.set([one.early])
    return one


def facts(name: str) -> dict[str, Any]:
    """What the audit should say of the flag as it is now, worked out without it."""
    if name == ALL_FLAGS:
        board = Switchboard.objects.first()
        return {"salt": str(board.salt)} if board else {}
    row = Flag.objects.filter(name=name).first()
    if row is None:
        return {}
    return {
        "share": f"{row.percent:.2f}",
        "killed": row.everyone is False,
        "staff": row.staff,
        "superusers": row.superusers,
        "users": sorted(row.users.values_list("pk", flat=True)),
        "master": row.requires.name if row.requires else None,
    }


def newest() -> int:
    return FlagChange.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def session(application: str = "psql") -> psycopg.Connection[Any]:
    """Somebody at a terminal, each statement a transaction."""
    parameters = connection.get_connection_params()
    names = ("dbname", "host", "port", "user", "password")
    known = {name: parameters[name] for name in names if name in parameters}
    return psycopg.connect(**known, application_name=application, autocommit=True)


def sql(statement: str) -> Step:
    def go(world: World) -> None:
        known = {"early": world.early.pk, "late": world.late.pk, "flag": FLAG, "other": OTHER}
        with session() as psql:
            # One message, so that several statements are one transaction.
            psql.execute(psycopg.sql.SQL(statement).format(**known))

    return go


def _page(percent: str) -> Step:
    def go(world: World) -> str:
        url = reverse("admin:rollback_flag_set_share", args=[world.row.pk])
        answer = world.client.post(url, {"percent": percent, "reason": REASON})
        return answer.content.decode()

    return go


def _early_page(*, users: Callable[[World], list[User]]) -> Step:
    def go(world: World) -> str:
        url = reverse("admin:rollback_flag_change", args=[world.row.pk])
        asked = {"users": [user.pk for user in users(world)], "reason": REASON}
        return world.client.post(url, asked, follow=True).content.decode()

    return go


def _command(*words: str) -> Step:
    return lambda world: call_command("rollback", *words, "--reason", REASON, stdout=StringIO())


def _runner_share(percent: int) -> Step:
    return lambda world: runner.set_share(
        flag=FLAG, percent=Decimal(percent), actor=runner.actor_of(world.boss), reason=REASON
    )


def _save(**fields: Any) -> Step:
    def go(world: World) -> None:
        row = world.row
        for name, value in fields.items():
            setattr(row, name, value)
        row.save()

    return go


def _update(**fields: Any) -> Step:
    return lambda world: Flag.objects.filter(name=FLAG).update(**fields)


def _bulk_update(percent: int) -> Step:
    def go(world: World) -> None:
        row = world.row
        row.percent = Decimal(percent)
        Flag.objects.bulk_update([row], ["percent"])

    return go


def _create(world: World) -> None:
    Flag(name=FLAG, percent=Decimal(50), requires=_flag(MASTER)).save(force_insert=True)


def _delete(world: World) -> None:
    world.row.delete()


def _copy_user(world: World) -> None:
    flag = world.row.pk
    copy = "COPY rollback_flag_users (flag_id, user_id) FROM STDIN"
    with session() as psql, psql.cursor() as cursor, cursor.copy(copy) as rows:
        rows.write_row((flag, world.late.pk))


@transaction.atomic
def _several_statements(world: World) -> None:
    Flag.objects.filter(name=FLAG).update(percent=0)
    world.row.users.clear()
    Flag.objects.filter(name=FLAG).update(percent=99)


@transaction.atomic
def _rename_another_to_it(world: World) -> None:
    Flag.objects.filter(name=FLAG).update(name="RENAMED_AWAY")
    Flag.objects.filter(name=OTHER).update(name=FLAG, percent=100)


@transaction.atomic
def _delete_and_make_again(world: World) -> None:
    world.row.delete()
    Flag(name=FLAG, percent=Decimal(75), requires=_flag(MASTER)).save(force_insert=True)


def kill(world: World) -> None:
    with audit.told(actor=SEED, reason="killed before"):
        _update(everyone=False)(world)


MERGE = """
MERGE INTO rollback_flag f USING (SELECT {{flag}} AS name, {percent} AS percent) n ON f.name = n.name
 WHEN MATCHED THEN UPDATE SET percent = n.percent
"""
CTE = "WITH w AS (UPDATE rollback_flag SET percent = {percent} WHERE name = {{flag}} RETURNING 1) TABLE w"
UPSERT = """
INSERT INTO rollback_flag (name, percent, superusers, staff, note, created, modified)
SELECT {{flag}}, 0, false, false, '', now(), now()
    ON CONFLICT (name) DO UPDATE SET percent = {percent}
"""

LOWERING = [
    Path(id="admin share", go=_page("25"), explained=True),
    Path(id="admin early", go=_early_page(users=lambda world: []), explained=True),
    Path(id="command set", go=_command("set", FLAG, "25"), explained=True),
    Path(id="command kill", go=_command("kill", FLAG), explained=True),
    Path(id="runner", go=_runner_share(25), explained=True),
    Path(id="save", go=_save(percent=Decimal(25))),
    Path(id="update", go=_update(percent=25)),
    Path(id="update kill", go=_update(everyone=False)),
    Path(id="bulk_update", go=_bulk_update(25)),
    Path(id="users.remove", go=lambda world: world.row.users.remove(world.early)),
    Path(id="users.clear", go=lambda world: world.row.users.clear()),
    Path(id="users.set", go=lambda world: world.row.users.set([])),
    Path(id="a person deleted", go=lambda world: world.early.delete()),
    Path(id="delete", go=_delete),
    Path(id="queryset delete", go=lambda world: Flag.objects.filter(name=FLAG).delete()),
    Path(id="sql", go=sql("UPDATE rollback_flag SET percent = 25 WHERE name = {flag}")),
    Path(id="sql merge", go=sql(MERGE.format(percent=25))),
    Path(id="sql cte", go=sql(CTE.format(percent=25))),
    Path(id="sql upsert", go=sql(UPSERT.format(percent=25))),
    Path(id="truncate", go=sql("TRUNCATE rollback_flag CASCADE")),
    Path(id="truncate users", go=sql("TRUNCATE rollback_flag_users")),
    Path(id="rename away", go=_update(name="RENAMED_AWAY")),
]
RAISING = [
    Path(id="admin share", go=_page("75"), explained=True),
    Path(
        id="admin early",
        go=_early_page(users=lambda world: [world.early, world.late]),
        explained=True,
    ),
    Path(id="command set", go=_command("set", FLAG, "75"), explained=True),
    Path(id="command restore", go=_command("restore", FLAG), prepare=kill, explained=True),
    Path(id="runner", go=_runner_share(75), explained=True),
    Path(id="save", go=_save(percent=Decimal(75))),
    Path(id="save early", go=_save(superusers=True)),
    Path(id="update", go=_update(percent=75)),
    Path(id="update of the kill", go=_update(everyone=None), prepare=kill),
    Path(id="update of a killed share", go=_update(percent=75), prepare=kill),
    Path(id="update early", go=_update(staff=True)),
    Path(id="no master", go=_update(requires=None)),
    Path(id="another master", go=lambda world: _save(requires=_flag(OTHER))(world)),
    Path(id="bulk_update", go=_bulk_update(75)),
    Path(id="users.add", go=lambda world: world.row.users.add(world.late)),
    Path(id="users.set", go=lambda world: world.row.users.set([world.late])),
    Path(id="insert", go=_create, prepare=_delete),
    Path(id="delete and insert", go=_delete_and_make_again),
    Path(id="several statements", go=_several_statements),
    Path(id="rename another", go=_rename_another_to_it),
    Path(id="rename the master", go=lambda world: _rename_master()),
    Path(id="sql", go=sql("UPDATE rollback_flag SET percent = 75 WHERE name = {flag}")),
    Path(id="sql merge", go=sql(MERGE.format(percent=75))),
    Path(id="sql cte", go=sql(CTE.format(percent=75))),
    Path(id="sql upsert", go=sql(UPSERT.format(percent=75))),
    Path(id="sql users", go=sql("UPDATE rollback_flag_users SET user_id = {late}")),
    Path(id="copy", go=_copy_user),
    Path(
        id="salt update",
        go=lambda world: Switchboard.objects.update(salt=uuid4()),
        name=ALL_FLAGS,
    ),
]


def _flag(name: str) -> Flag:
    row: Flag = Flag.objects.get(name=name)
    return row


def _rename_master() -> None:
    Flag.objects.filter(name=MASTER).update(name="ANOTHER_MASTER")
