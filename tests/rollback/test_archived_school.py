"""With scheduling's and holidays' tables in the archive and their code still deployed, the school goes on."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from rollback import registry, switchboard
from tests.architecture.matrix import API, GET, Asking, Row, School, build, data_of, path_of
from tests.architecture.test_permissions import ROWS
from tests.rollback.archiving import APPS, all_flags_on, archived

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("schema")]

# Who gets in where others do, and what they are let do: the superuser sees every page of the office.
WALKERS = ("anonymous", "student", "teacher", "superuser")
MAY_ANSWER_503 = (API, "/calendar/feed/")


@pytest.fixture
def school(real_switchboard: switchboard.Switchboard) -> Iterator[School]:
    """All flags are up: what is off is off because its tables are away."""
    all_flags_on()
    made = build()
    with archived():
        switchboard.board.refresh()
        assert not any(switchboard.is_on_for_anyone(one.flag) for one in registry.features())
        yield made


def is_of_a_feature(path: str) -> bool:
    return path.startswith(
        ("/schedule/", "/calendar/", "/holidays/", *(f"/admin/{app}/" for app in APPS))
    )


def is_asked(role: str, row: Row, path: str) -> bool:
    """Where something may be looked up: nobody else gets into the office, and nobody's forms are not read."""
    office = path.startswith("/admin/")
    if role == "superuser":
        return office and (row.method == GET or row.name.endswith("_delete"))
    return not office and (role != "anonymous" or row.method == GET)


@pytest.mark.parametrize("role", WALKERS)
def test_every_page_answers_everybody(school: School, role: str) -> None:
    """And none of them asked a table that is away, to be saved by the gate."""
    wrong, away = [], 0
    ask = Asking(school.people[role])
    with capture_logs() as logged:
        for row in ROWS:
            path = path_of(row, school.things)
            if not is_asked(role, row, path):
                continue
            response, _changed = ask(path, row.method, data_of(row, school.things))
            if path.startswith(MAY_ANSWER_503) and response.status_code == 503:
                away += 1
            elif response.status_code >= 500:
                wrong.append(f"{row.name} ({row.method} {path}): {response.status_code}")
            elif is_of_a_feature(path) and response.status_code not in (301, 302, 303):
                wrong.append(f"{row.name} ({row.method} {path}) was let in: {response.status_code}")
    assert not wrong, "\n".join(wrong)
    assert away > 3 or role == "superuser"
    assert [one for one in logged if one["event"] == "gate.broken"] == []
