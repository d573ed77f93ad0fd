"""“Why does this person not see it?”: the same answer as everywhere, with its reason."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from enrollment.models import Student, User
from enrollment.operations.tokens import make_token
from rollback import exposure, switchboard
from rollback.domain.shares import NOBODY, FlagState, Snapshot, Subject, Why
from tests.conftest import Switches

MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"

states: st.SearchStrategy[dict[str, object]] = st.builds(
    dict[str, object],
    share=st.integers(0, 10_000),
    killed=st.booleans(),
    staff=st.booleans(),
    superusers=st.booleans(),
    users=st.frozensets(st.integers(1, 3), max_size=2),
)
subjects = st.just(NOBODY) | st.builds(
    lambda pk, staff, superuser: Subject(f"u:{pk}", pk, staff, superuser),
    st.integers(1, 300),
    st.booleans(),
    st.booleans(),
)


@given(master=states, child=states, subject=subjects)
def test_the_explanation_is_the_answer(
    master: dict[str, object], child: dict[str, object], subject: Subject
) -> None:
    flags = {
        "m": FlagState(name="m", **master),  # type: ignore[arg-type]
        "c": FlagState(name="c", requires="m", **child),  # type: ignore[arg-type]
    }
    snapshot = Snapshot(version=1, salt=b"salt", flags=flags)
    for name in ("m", "c", "unknown"):
        answer = snapshot.explain(name, subject)
        assert answer.on is snapshot.is_on(name, subject)
        assert answer.on is (answer.why in (Why.INSIDE, Why.EARLY))
        assert (answer.why is Why.MASTER) is bool(answer.master)


@pytest.mark.django_db
def test_a_person_their_token_and_a_visitor(student: Student, switches: Switches) -> None:
    now = timezone.now()
    row, _secret = make_token(user=student.user, name="x", lifetime=timedelta(days=1), now=now)
    person = exposure.find(" ADA@school.example ")
    assert person.subject == switchboard.subject_of(student.user)
    assert exposure.find(row.token_key).subject == person.subject
    visitor = "0" * 32
    assert exposure.find(visitor).subject == Subject(key=f"a:{visitor}")
    assert exposure.find(switchboard.visitor_cookie(visitor)).subject == Subject(key=f"a:{visitor}")
    for nonsense in ("", "nobody@school.example", "visitor", f"{visitor}:forged", "'"):
        with pytest.raises(exposure.NobodyFound):
            exposure.find(nonsense)


@pytest.mark.django_db
def test_the_reason_in_words(student: Student, switches: Switches) -> None:
    subject = switchboard.subject_of(student.user)
    bucket = switchboard.board.snapshot().explain(MASTER, subject).bucket
    assert bucket is not None
    just = (bucket + 1) / 100
    switches.share(just, MASTER)
    assert f"goes below {just:g} %" in exposure.in_words(exposure.answers(subject)[MASTER])
    switches.share(bucket / 100, MASTER)
    answers = exposure.answers(subject)
    assert f"comes with {just:g} %" in exposure.in_words(answers[MASTER])
    assert exposure.in_words(answers[CALENDAR]) == "Its master is off: Teacher scheduling."
    switches.kill(MASTER)
    assert exposure.in_words(exposure.answers(subject)[MASTER]) == "Killed for everybody."


def test_the_page(
    client: Client, staff: User, student: Student, switches: Switches, flag_rows: None
) -> None:
    page = reverse("admin:rollback_flag_who")
    client.force_login(student.user)
    assert client.get(page).status_code == 302
    client.force_login(staff)
    switches.kill(CALENDAR)
    text = client.get(page, {"who": "ada@school.example"}).content.decode()
    assert "Ada Vogel" in text
    assert "Killed for everybody." in text
    for asked, answer in (("x@y", "Nobody is known by that"), ("x\x00", "Null characters")):
        assert answer in client.get(page, {"who": asked}).content.decode()
    assert "Nobody is known" not in client.get(page).content.decode()


@pytest.mark.django_db
def test_the_command(student: Student, switches: Switches) -> None:
    said = StringIO()
    switches.kill(CALENDAR)
    call_command("rollback", "who", "ada@school.example", stdout=said)
    assert "Killed for everybody." in said.getvalue()
    with pytest.raises(CommandError, match="Nobody is known by that"):
        call_command("rollback", "who", "nobody@school.example")
