"""Whatever is done to flags, database and processes, in any order: the laws of the switchboard.

Real switchboards with their threads and connections, on a real database.
"""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from rollback import registry, switchboard
from rollback.domain.shares import BUCKETS, Snapshot, Subject, bucket_of
from rollback.models import Flag
from rollback.models import Switchboard as SwitchboardRow
from rollback.switchboard import Switchboard
from tests.conftest import make_user
from tests.rollback.others import MASTER, behind_everybodys_back, eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("propagation")]

READERS = 3
POLL = 0.1
# Ten times the poll: the machine may be busy, and a reader that is stuck stays so for ever.
CONVERGED = 10 * POLL + 1.0
MASTERS = {feature.flag: feature.master for feature in registry.features()}
EVERYBODY = [Subject(key=f"u:{pk}", user_id=pk) for pk in range(1_000_001, 1_000_021)]
STAFF = Subject(key="u:2000001", user_id=2_000_001, is_staff=True)

flags = st.sampled_from(sorted(MASTERS))
readers = st.integers(0, READERS - 1)
updates = st.sampled_from(
    ["everyone = false", "everyone = NULL", "staff = NOT staff"]
    + [f"percent = {share}" for share in ("0", "0.01", "25", "50", "75", "100")]
)
# told: by the triggers. lost: the version rises, and the notification is lost. hidden: neither.
ways = st.sampled_from(["told", "lost", "hidden"])


def write(way: str, statement: str, values: Any = ()) -> None:
    if way == "told":
        connection.cursor().execute(statement, values)
        return
    with behind_everybodys_back() as cursor:
        cursor.execute(statement, values)
        if way == "lost":
            cursor.execute("UPDATE rollback_switchboard SET version = version + 1")


def rows() -> dict[str, tuple[Flag, set[int]]]:
    """Flag name → its row and the users on its list."""
    return {
        row.name: (row, set(row.users.values_list("pk", flat=True))) for row in Flag.objects.all()
    }


def should_be_on(
    flag: str, who: Subject, found: dict[str, tuple[Flag, set[int]]], salt: bytes
) -> bool:
    """The law in its plainest words, from the rows themselves."""
    if flag not in found:
        return False
    row, listed = found[flag]
    if row.is_killed or not row.percent:
        return False
    early = (row.staff and who.is_staff) or who.user_id in listed
    if not early and bucket_of(salt, who.key) >= row.percent * BUCKETS / 100:
        return False
    master = MASTERS[flag]
    return master is None or should_be_on(master, who, found, salt)


class Flags(RuleBasedStateMachine):
    early_user: int

    @initialize()
    def begin(self) -> None:
        Flag.objects.all().update(everyone=None, percent=100, staff=False)
        self.boards = [Switchboard() for _ in range(READERS)]
        self.back_up()
        # (reader, flag): it has answered with a kill that nobody has taken back since.
        self.knows_kill: set[tuple[int, str]] = set()
        # (flag, person) → the highest share at which they were off, the lowest at which on.
        self.off_at: dict[tuple[str, Subject], int] = {}
        self.on_at: dict[tuple[str, Subject], int] = {}

    def teardown(self) -> None:
        try:
            self.all_readers_agree_with_the_database()
        finally:
            for board in self.boards:
                board.stop()
            self._tidy_up()

    def _tidy_up(self) -> None:
        with behind_everybodys_back() as cursor:
            cursor.execute("DROP TABLE IF EXISTS backup_flag, backup_users, backup_switchboard")
            cursor.execute("DELETE FROM rollback_flag_users")
        for flag in sorted(MASTERS, key=lambda name: MASTERS[name] is not None):
            if not Flag.objects.filter(name=flag).exists():
                self._insert(flag, with_master=True, way="told")

    # ------------------------------------------------------------ flags

    @rule(flag=flags, what=updates, way=ways)
    def update(self, flag: str, what: str, way: str) -> None:
        if what == "everyone = NULL":
            self._may_come_back(flag)
        write(way, f"UPDATE rollback_flag SET {what} WHERE name = %s", [flag])

    @rule(way=ways)
    def kill_everything(self, way: str) -> None:
        write(way, "UPDATE rollback_flag SET everyone = false")

    @rule(flag=flags)
    def list_an_early_user_or_nobody(self, flag: str) -> None:
        row = Flag.objects.filter(name=flag).first()
        if row is not None:
            row.users.set([] if row.users.exists() else [self.early_user])

    @rule(flag=flags, with_master=st.booleans(), way=ways)
    def delete_or_insert(self, flag: str, with_master: bool, way: str) -> None:
        if Flag.objects.filter(name=flag).exists():
            self._delete(flag)
        else:
            self._insert(flag, with_master, way)

    def _delete(self, flag: str) -> None:
        """Without foreign keys, so that a master may go before its children."""
        with behind_everybodys_back() as cursor:
            cursor.execute(
                "DELETE FROM rollback_flag_users u USING rollback_flag f"
                " WHERE u.flag_id = f.id AND f.name = %s",
                [flag],
            )
            cursor.execute("DELETE FROM rollback_flag WHERE name = %s", [flag])

    def _insert(self, flag: str, with_master: bool, way: str) -> None:
        self._may_come_back(flag)
        write(
            way,
            "INSERT INTO rollback_flag (name, percent, note, created, modified, staff, superusers,"
            " requires_id) VALUES (%s, 100, '', now(), now(), false, false,"
            " (SELECT id FROM rollback_flag WHERE name = %s))",
            [flag, MASTERS[flag] if with_master else None],
        )

    def _may_come_back(self, flag: str) -> None:
        self.knows_kill = {(reader, killed) for reader, killed in self.knows_kill if killed != flag}

    # ------------------------------------------------------------ database

    @rule(what=st.sampled_from(["back_up", "restore_the_backup", "cut_all_connections"]))
    def something_happens_to_the_database(self, what: str) -> None:
        getattr(self, what)()

    def back_up(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS backup_flag, backup_users, backup_switchboard")
            cursor.execute("CREATE TABLE backup_flag AS TABLE rollback_flag")
            cursor.execute("CREATE TABLE backup_users AS TABLE rollback_flag_users")
            cursor.execute("CREATE TABLE backup_switchboard AS TABLE rollback_switchboard")

    def restore_the_backup(self) -> None:
        """Rows and version as they were; no trigger fires."""
        self.knows_kill.clear()
        with behind_everybodys_back() as cursor:
            cursor.execute(
                """
                BEGIN;
                DELETE FROM rollback_flag_users;
                DELETE FROM rollback_flag;
                INSERT INTO rollback_flag SELECT * FROM backup_flag;
                INSERT INTO rollback_flag_users SELECT * FROM backup_users;
                UPDATE rollback_switchboard SET version = (SELECT version FROM backup_switchboard);
                COMMIT
                """
            )

    def cut_all_connections(self) -> None:
        connection.cursor().execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
            " WHERE application_name = 'switchboard' AND datname = current_database()"
        )

    # ------------------------------------------------------------ processes

    @rule(reader=readers, anew=st.booleans())
    def a_reader_starts_anew_or_reads_out_of_turn(self, reader: int, anew: bool) -> None:
        if anew:
            self.boards[reader].stop()
            self.boards[reader] = Switchboard()
        else:
            self.boards[reader].refresh()

    @rule()
    def all_readers_agree_with_the_database(self) -> None:
        found, salt = rows(), SwitchboardRow.objects.get().salt.bytes
        people = [*EVERYBODY, STAFF, self._early()]
        law = {(f, who): should_be_on(f, who, found, salt) for f in MASTERS for who in people}
        for number, board in enumerate(self.boards):

            def agrees(board: Switchboard = board) -> bool:
                snapshot = board.snapshot()
                return all(snapshot.is_on(f, who) is on for (f, who), on in law.items())

            assert eventually(agrees, within=CONVERGED), f"reader {number} is stuck"

    def _early(self) -> Subject:
        return Subject(key=f"u:{self.early_user}", user_id=self.early_user)

    # ------------------------------------------------------------ laws

    @invariant()
    def the_laws_hold_for_every_answer(self) -> None:
        for number, board in enumerate(self.boards):
            snapshot = board.snapshot()
            for who in (*EVERYBODY, STAFF, self._early()):
                self._children_only_with_their_master(snapshot, who)
            for who in EVERYBODY:
                self._who_is_off_stays_off_below(snapshot, who)
            self._never_on_after_a_known_kill(number, snapshot)

    def _children_only_with_their_master(self, snapshot: Snapshot, who: Subject) -> None:
        for flag, master in MASTERS.items():
            if master and snapshot.is_on(flag, who):
                assert snapshot.is_on(master, who), (flag, who)

    def _who_is_off_stays_off_below(self, snapshot: Snapshot, who: Subject) -> None:
        for flag, state in snapshot.flags.items():
            master = MASTERS[flag]
            if state.killed or (master and not snapshot.is_on(master, who)):
                continue
            key = (flag, who)
            if snapshot.is_on(flag, who):
                self.on_at[key] = min(self.on_at.get(key, BUCKETS), state.share)
            else:
                self.off_at[key] = max(self.off_at.get(key, 0), state.share)
            assert self.off_at.get(key, -1) < self.on_at.get(key, BUCKETS + 1), key

    def _never_on_after_a_known_kill(self, reader: int, snapshot: Snapshot) -> None:
        for flag, state in snapshot.flags.items():
            if (reader, flag) in self.knows_kill:
                assert state.killed, f"reader {reader} brought {flag} back"
            elif state.killed and self._is_killed_now(flag):
                self.knows_kill.add((reader, flag))

    def _is_killed_now(self, flag: str) -> bool:
        return Flag.objects.filter(name=flag, everyone=False).exists()


def test_the_laws_of_the_switchboard(
    real_switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MASTERS[MASTER] is None
    monkeypatch.setattr(switchboard, "POLL", POLL)
    monkeypatch.setattr(switchboard, "RETRY", POLL / 2)
    # Three readers of one process lose three connections at once, which is three times as bad as it is.
    monkeypatch.setattr(django_settings, "DATABASE_FAILURES", 1_000_000)
    Flags.early_user = make_user("early@school.example").pk
    run_state_machine_as_test(
        Flags,
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],  # threads do not repeat themselves: nothing to shrink
            suppress_health_check=list(HealthCheck),
        ),
    )
