"""Whatever is killed: everybody is told, in their language, and hardly anybody twice."""

from pathlib import Path
from typing import Any

import pytest

from tests import ports
from tests.rollback import mail_stress
from tests.rollback.mail_stress import Plan
from tests.rollback.others import address_of_this_test


@pytest.mark.django_db(transaction=True)
def test_nobody_is_lost_whatever_is_killed(real_switchboard: Any, tmp_path: Path) -> None:
    done = mail_stress.run(
        Plan(people=300, rounds=4, workers=2, stops=(1,), lives=(0.05, 0.25)),
        address=address_of_this_test(),
        port=ports.of_our_own(19_065),
        file=tmp_path / "mails",
        seed=8,
    )
    assert (done.kills, done.stops) == (8, 1)
    assert done.lost == 0
    assert done.duplicates <= done.kills
    assert (done.wrong_language, done.other_ids) == (0, 0)
    assert done.states == {"all": 300, "bounced": 0, "sent": 300}
    assert done.met  # somebody was killed with a mail in the hands
