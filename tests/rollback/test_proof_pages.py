"""The archive, backups, rehearsals and schema changes in the admin: what stands there, and what alarms."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from config.roles import give_permissions
from enrollment.models import User
from rollback.console import facts, report
from rollback.models import Backup, LedgerEntry, Orphan, Rehearsal, SchemaChange
from rollback.rehearsing import migration_graph_hash
from tests.conftest import make_user
from tests.rollback import console_rows as rows
from tests.rollback import phase_rows as phases

LEDGER = "/admin/rollback/ledgerentry/"
BACKUPS = "/admin/rollback/backup/"
REHEARSALS = "/admin/rollback/rehearsal/"
CHANGES = "/admin/rollback/schemachange/"
RED = "text-red-700"
EVIL = '<script>alert("x")</script>'


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    give_permissions()
    client.force_login(staff)
    return client


def text_of(client: Client, path: str) -> str:
    page = client.get(path)
    assert page.status_code == 200, path
    return words_of(page.content.decode())


def words_of(html: str) -> str:
    html = re.sub(r"(?s)<(script|style).*?</\1>", " ", html)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).replace("&quot;", '"')


def alarms(client: Client, path: str) -> list[str]:
    """The red sentences on top."""
    html = client.get(path).content.decode()
    found = re.findall(rf'<p class="font-semibold {RED}[^"]*">(.*?)</p>', html, re.DOTALL)
    return [one.strip() for one in found]


# ---------------------------------------------------------------- the archive


def test_nothing_is_in_the_archive(office: Client) -> None:
    assert "Nothing is in the archive: every table is where the school works with it." in text_of(
        office, LEDGER
    )


@pytest.mark.usefixtures("flag_rows")
def test_what_lies_there_since_when_and_until_when(office: Client) -> None:
    phases.archived(days=3)
    text = text_of(office, LEDGER)
    assert "2 tables and columns lie in the archive, with 1,234 rows, since" in text
    assert "Nothing of it may be purged before" in text
    assert "scheduling_timeoff" in text
    assert "1,200" in text
    incident = rows.open_incident()
    text = text_of(office, LEDGER)
    assert f"Nothing of it may be purged while incident {incident.pk} is open." in text


def test_after_thirty_days_it_may_go(office: Client) -> None:
    phases.archived("holidays", days=31)
    assert "1 table or column lies in the archive, with 34 rows" in text_of(office, LEDGER)
    assert "manage.py rollback archive purge" in text_of(office, LEDGER)


@pytest.mark.parametrize(
    ("fields", "state", "where"),
    [
        ({}, "In the archive", "away"),
        ({"rows": None}, "not counted yet", "away"),
        ({"purged_at": timezone.now()}, "Purged", "purged"),
        ({"back_at": timezone.now()}, "Brought back", "back"),
        (
            {"back_at": timezone.now(), "archived_as": "archive_kept_1.x"},
            "Brought back, the old form kept",
            "back",
        ),
    ],
)
def test_where_a_table_is(office: Client, fields: dict[str, Any], state: str, where: str) -> None:
    (entry,) = phases.archived("holidays")
    LedgerEntry.objects.filter(pk=entry.pk).update(**fields)
    assert state in text_of(office, f"{LEDGER}?where={where}")
    assert state in text_of(office, f"{LEDGER}{entry.pk}/change/")
    others = {"away", "purged", "back"} - {where}
    for other in others:
        assert "holidays_holiday" not in text_of(office, f"{LEDGER}?where={other}")


def test_an_entry_with_what_was_noted_and_whom_it_lost(office: Client) -> None:
    (entry,) = phases.archived(
        "holidays",
        report={"moved": True, "left_behind": ["note"]},
        shape={"columns": {"id": {"type": "bigint"}}},
        foreign_keys={"holiday_fk": "FOREIGN KEY (teacher_id) REFERENCES enrollment_teacher(id)"},
    )
    Orphan.objects.create(entry=entry, foreign_key="holiday_fk", row={"id": 7, "name": EVIL})
    page = f"{LEDGER}{entry.pk}/change/"
    text = text_of(office, page)
    assert "moved as a whole yes" in text
    assert "columns left in the archive note" in text
    assert "columns › id › type bigint" in text
    assert "REFERENCES enrollment_teacher(id)" in text
    link = f"/admin/rollback/orphan/?entry__id__exact={entry.pk}"
    assert link in office.get(page).content.decode()
    assert "holiday_fk" in text_of(office, link)
    orphan = office.get(f"/admin/rollback/orphan/{entry.orphans.get().pk}/change/")
    assert EVIL not in orphan.content.decode()
    assert "&lt;script&gt;alert(&quot;x&quot;)" in orphan.content.decode()


ROW = {
    "id": 7001,
    "answer": "Booked: Anna",
    "fingerprint": "f00",
    "digest": "d1g",
    "name": "By hand",
}


def orphan_of(table: str) -> str:
    entry = LedgerEntry.objects.create(
        app="x", kind="table", table=table, archived_as=f"archive.{table}", back_at=timezone.now()
    )
    orphan = Orphan.objects.create(entry=entry, foreign_key="x", row=ROW)
    return f"/admin/rollback/orphan/{orphan.pk}/change/"


@pytest.mark.parametrize("table", ["scheduling_calendarfeed", "holidays_holiday_teachers"])
def test_a_row_set_aside_without_what_is_said_to_nobody(office: Client, table: str) -> None:
    """Also to whoever may see everything. What joins two tables is read by who reads whose it is."""
    page = orphan_of(table)
    root = Client()
    root.force_login(User.objects.create_superuser("root@school.example", "correct horse"))
    for browser in (office, root):
        text = text_of(browser, page)
        assert "By hand" in text
        for unsaid in ("Booked: Anna", "f00", "d1g"):
            assert unsaid not in text


@pytest.mark.parametrize("table", ["scheduling_idempotencykey", "x"])
def test_a_row_set_aside_is_for_whoever_sees_others_of_its_kind(office: Client, table: str) -> None:
    """Of a table that the code does not know, nobody in the office does."""
    text = text_of(office, orphan_of(table))
    assert "Only who may see the other rows of this table" in text
    assert "By hand" not in text
    assert "7001" in text


def test_the_list_of_rows_set_aside_has_their_keys_only(office: Client) -> None:
    orphan_of("holidays_holiday")
    text = text_of(office, "/admin/rollback/orphan/")
    assert "7001" in text
    assert "By hand" not in text


# ---------------------------------------------------------------- backups


def backup(hours: float, **fields: Any) -> Backup:
    return Backup.objects.create(
        **{
            "name": f"b-{hours}",
            "status": "verified",
            "as_of": timezone.now() - timedelta(hours=hours),
            "finished_at": timezone.now(),
            "size": 1_234_567_890,
            "rows": 8_000_000,
            "seconds": {"dump": 12.5, "restore": 20},
            **fields,
        }
    )


def test_without_a_backup_it_is_red(office: Client) -> None:
    backup(1, status="failed", error="The disk is full.")
    assert alarms(office, BACKUPS) == [
        "There is no verified backup: make one with manage.py backup."
    ]


def test_the_newest_verified_one_and_its_age(office: Client) -> None:
    backup(25)
    backup(2, name="newest")
    backup(1, name="running", status="running", as_of=None)
    text = text_of(office, BACKUPS)
    assert "The newest verified backup is newest: the school as it was at" in text
    assert ", 2 hours ago." in text
    assert "1.2 GB" in text
    assert "8,000,000" in text
    assert not alarms(office, BACKUPS)


@pytest.mark.parametrize(("hours", "is_alarm"), [(25.9, False), (26.1, True)])
def test_older_than_26_hours_it_is_red(office: Client, hours: float, is_alarm: bool) -> None:
    backup(hours)
    found = alarms(office, BACKUPS)
    assert bool(found) is is_alarm
    assert all("No verified backup is younger than 26 hours" in one for one in found)


def test_a_backup_with_its_parts_or_why_it_failed(office: Client) -> None:
    text = text_of(office, f"{BACKUPS}{backup(1).pk}/change/")
    assert "dump 12.5" in text
    assert "restore 20" in text
    failed = backup(1, name="x", status="failed", error=EVIL)
    page = office.get(f"{BACKUPS}{failed.pk}/change/").content.decode()
    assert "&lt;script&gt;" in page
    assert EVIL not in page


# ---------------------------------------------------------------- rehearsals


def rehearsal(days: float = 1, **fields: Any) -> Rehearsal:
    at = timezone.now() - timedelta(days=days)
    row = Rehearsal.objects.create(
        **{
            "passed": True,
            "graph": migration_graph_hash(),
            "backup": "b-1",
            "figures": {
                "3": {"seconds": 1.2},
                "1": {"seconds": 0.4, "blocked": 0.2, "rows": 123_456},
            },
            "report": "# Rehearsed\n\n| phase | seconds |\n|---|---|\n| 1 | 0.4 |\n",
            "picture": '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
            **fields,
        }
    )
    Rehearsal.objects.filter(pk=row.pk).update(started_at=at, finished_at=at + timedelta(minutes=3))
    return row


def test_a_certificate_that_holds(office: Client) -> None:
    rehearsal()
    text = text_of(office, REHEARSALS)
    assert "The way back was rehearsed with success at" in text
    assert "It was of the migrations that the school has now" in text
    assert "those that the school has now" in text
    assert not alarms(office, REHEARSALS)


@pytest.mark.parametrize(
    "fields", [None, {"passed": False}, {"days": 8}, {"graph": "another"}, {"passed": None}]
)
def test_a_certificate_that_does_not(office: Client, fields: dict[str, Any] | None) -> None:
    if fields is not None:
        rehearsal(**fields)
    assert len(alarms(office, REHEARSALS)) == 1


def test_a_rehearsal_is_a_page_to_be_read(office: Client) -> None:
    row = rehearsal(report=f"# Rehearsed\n\n**Well**, {EVIL} [x](javascript:alert(1))\n")
    html = office.get(f"{REHEARSALS}{row.pk}/change/").content.decode()
    assert "<h2>Rehearsed</h2>" in html
    assert "<strong>Well</strong>" in html
    assert EVIL not in html
    assert 'href="javascript' not in html
    assert f'src="{REHEARSALS}{row.pk}/picture.svg"' in html
    text = words_of(html)
    assert "phase 1 › longest block, in seconds 0.2" in text
    assert "phase 1 › rows 123,456" in text


def test_its_picture_can_do_nothing(office: Client, client: Client) -> None:
    row = rehearsal(picture=f"<svg xmlns='http://www.w3.org/2000/svg'>{EVIL}</svg>")
    answer = office.get(f"{REHEARSALS}{row.pk}/picture.svg")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/svg+xml; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    none = rehearsal(picture="")
    assert office.get(f"{REHEARSALS}{none.pk}/picture.svg").status_code == 404
    assert office.get(f"{REHEARSALS}999999/picture.svg").status_code == 404


@pytest.mark.django_db
def test_its_picture_is_for_who_may_see_it() -> None:
    row = rehearsal()
    somebody = Client()
    somebody.force_login(make_user("x@school.example", is_staff=True))
    assert somebody.get(f"{REHEARSALS}{row.pk}/picture.svg").status_code == 403


def test_a_report_is_text_whatever_it_says() -> None:
    page = report.html(
        "# T\n\n<img src=x onerror=alert(1)> ![p](http://e.example/x.png) <http://e.example>\n\n"
        "```\n<i>\n```\n\n| a |\n|---|\n| \\<b\\> \\| c |\n"
    )
    assert "<img" not in page
    assert "<a " not in page
    assert "&lt;i&gt;" in page
    assert "<td>&lt;b&gt; | c</td>" in page
    assert '<div class="report-scroll" tabindex="0"><table>' in page


# ---------------------------------------------------------------- schema changes


def change(**fields: Any) -> SchemaChange:
    return SchemaChange.objects.create(
        **{
            "plan": [["holidays", "0001_expand_holidays", True], ["scheduling", "0002_x", False]],
            "plan_hash": "a" * 64,
            "receipt": "b-1",
            "actor_name": "somebody",
            "succeeded": True,
            **fields,
        }
    )


def test_a_change_and_what_it_stands_on(office: Client) -> None:
    row = change(report={"rows": 12})
    assert "backup b-1, verified" in text_of(office, CHANGES)
    text = text_of(office, f"{CHANGES}{row.pk}/change/")
    assert "holidays.0001_expand_holidays undone" in text
    assert "scheduling.0002_x applied" in text
    assert "rows 12" in text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"receipt": "", "broken_glass": f"In a hurry. {EVIL}"}, "no backup: In a hurry."),
        ({"receipt": ""}, "nothing that is known"),
    ],
)
def test_a_change_without_a_backup_is_red(
    office: Client, fields: dict[str, Any], words: str
) -> None:
    change(**fields)
    html = office.get(CHANGES).content.decode()
    assert re.search(rf'<strong class="{RED}[^>]*>{words}', html)
    assert EVIL not in html


def test_a_plan_that_is_none_stands_there_as_it_is(office: Client) -> None:
    row = change(plan=["x", 7], succeeded=None)
    assert "Under way" in text_of(office, CHANGES)
    assert "x applied" in text_of(office, f"{CHANGES}{row.pk}/change/")


# ---------------------------------------------------------------- facts


def test_facts_are_lines_of_plain_words() -> None:
    found = dict(
        facts.of({"a_b": {"rows": 12_345, "is": False}, "list": [1, 2], "many": [{"x": 1.23456}]})
    )
    assert found == {
        "a b › rows": "12,345",
        "a b › is": "no",
        "list": "1, 2",
        "many 1 › x": "1.235",
    }
    assert facts.table({}) == "–"
    assert "and 1 more lines" in facts.table({str(number): number for number in range(201)})


@pytest.mark.parametrize(
    ("count", "words"), [(None, "–"), (999, "999 bytes"), (1_500, "1.5 kB"), (2_000_000, "2.0 MB")]
)
def test_sizes(count: int | None, words: str) -> None:
    assert facts.size(count) == words
