"""Two saves within two milliseconds, thousands of times, under eight busy readers: nobody is stuck.

After every tenth all readers must have come to the last of them. `make bench ARGS=stuck` does the
same ten thousand times, which is four minutes of a core and too long for each run of the tests.

With stock waffle's cache 29 to 55 % of such trials left the flag on for five minutes.
"""

from pathlib import Path

import pytest

from rollback import switchboard
from rollback.models import Flag
from rollback.models import Switchboard as SwitchboardRow
from rollback.switchboard import Switchboard
from tests.rollback.busy import READERS, all_off, busy_readers, change_twice, look
from tests.rollback.others import MASTER, START, address_of_this_test, eventually

CHANGES, BATCH = 3_000, 10
# Within the poll, and as much again for a machine on which ten processes want two cores.
WITHIN = 2 * switchboard.POLL

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("propagation")]


def test_two_writes_in_a_row_leave_nobody_stuck(
    real_switchboard: Switchboard, tmp_path: Path
) -> None:
    row = Flag.objects.get(name=MASTER)
    row.percent, row.everyone = 100, False
    row.save()
    version = first = SwitchboardRow.objects.get().version
    stuck = 0
    with busy_readers(
        first=first, flag=MASTER, address=address_of_this_test(), folder=tmp_path
    ) as told:
        assert eventually(all_off(told, version), within=START)
        for _ in range(CHANGES // BATCH):
            stuck += not change_twice(row, told, version, changes=BATCH, within=WITHIN)
            version += 2 * BATCH
        readers = look(told)
    assert stuck == 0
    assert [reader.wrong for reader in readers] == [0] * READERS
    # They were really busy, and saw much of what went by.
    assert min(reader.asked for reader in readers) > CHANGES
    assert min(reader.seen for reader in readers) > CHANGES // BATCH
    assert SwitchboardRow.objects.get().version == first + 2 * CHANGES
