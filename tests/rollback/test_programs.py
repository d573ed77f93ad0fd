"""Pages to programs, over a real HTTP server: payloads, signatures, answers, and no way inside."""

import ipaddress
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from rollback import incidents, outbox
from rollback.models import Channel, Notification
from rollback.oncall import pinging, testing
from rollback.outbox import outward, programs
from rollback.outbox.outward import AddressRefused
from rollback.outbox.programs import ProgramRefused
from tests.rollback.hooks import Hooks, hooks
from tests.rollback.oncall_rows import OFFICE, case, channel, due_now, shift, somebody
from tests.rollback.test_oncall import MINUTE, look

pytestmark = pytest.mark.django_db
State = Notification.State


@pytest.fixture
def there() -> Iterator[Hooks]:
    with hooks() as found:
        yield found


FACTS: dict[str, Any] = {
    "event": "trigger",
    "page": 7,
    "key": "school.example-page-7",
    "kind": "incident",
    "title": "Calendar <!channel> & errors",
    "severity": 2,
    "incident": 5,
    "feature": "Calendar",
    "since": "2030-01-09T03:00:00+00:00",
    "called": "Mira",
    "link": "https://school.example/admin/rollback/incident/5/change/",
    "runbook": "",
    "school": "Riverside School",
}


def deliver(there: Hooks, kind: str, **changed: Any) -> None:
    row = Channel(name="x", kind=kind, url=there.url, secret="a key for tests")
    programs.deliver(row, {**FACTS, **changed}, key="3.4")


# ---------------------------------------------------------------- what they get


def test_slack_gets_text_and_blocks_and_nobody_is_shouted_at(there: Hooks) -> None:
    deliver(there, "slack")
    [body] = there.bodies
    assert set(body) == {"text", "blocks"}
    assert body["text"] == "On call: Calendar &lt;!channel&gt; &amp; errors"
    [block] = body["blocks"]
    assert (block["type"], block["text"]["type"]) == ("section", "mrkdwn")
    assert f"<{FACTS['link']}|Open in the console>" in block["text"]["text"]
    assert "Called: Mira" in block["text"]["text"]
    assert "key for tests" not in str(there.got)


def test_pagerduty_gets_an_event_and_its_end_under_the_same_key(there: Hooks) -> None:
    for event in ("trigger", "acknowledge", "resolve"):
        deliver(there, "pagerduty", event=event)
    first, *later = there.bodies
    assert first["routing_key"] == "a key for tests"
    assert first["payload"] == {
        "summary": "Calendar <!channel> & errors",
        "source": "Riverside School",
        "severity": "error",
        "timestamp": "2030-01-09T03:00:00+00:00",
        "component": "Calendar",
        "class": "incident",
        "custom_details": {"incident": 5, "called": "Mira"},
    }
    assert first["links"] == [{"href": FACTS["link"], "text": "Console"}]
    assert [one["event_action"] for one in later] == ["acknowledge", "resolve"]
    assert {one["dedup_key"] for one in there.bodies} == {"school.example-page-7"}
    assert all("payload" not in one for one in later)


def test_anything_else_gets_signed_json_with_a_number_to_know_it_by(there: Hooks) -> None:
    deliver(there, "generic")
    deliver(there, "generic")
    (_path, headers, body), (_again, again, _body) = there.got
    signed = programs.signature("a key for tests", headers["X-Timestamp"], body)
    assert headers["X-Signature"] == signed
    assert abs(int(headers["X-Timestamp"]) - time.time()) < 60
    assert headers["Idempotency-Key"] == again["Idempotency-Key"] == "3.4"
    assert there.bodies[0] == {"id": "3.4", **FACTS}
    assert b"key for tests" not in body


# ---------------------------------------------------------------- what they answer


@pytest.mark.parametrize("status", [200, 202, 204])
def test_taken(there: Hooks, status: int) -> None:
    there.status, there.answer = status, ""
    deliver(there, "generic")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_refused_for_good(there: Hooks, status: int) -> None:
    there.status, there.answer = status, "no_such a key for tests " + "x" * 5000
    with pytest.raises(ProgramRefused, match=f"answered {status}") as refused:
        deliver(there, "generic")
    assert "key for tests" not in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_later_perhaps(there: Hooks, status: int) -> None:
    there.status = status
    with pytest.raises(OSError, match=f"answered {status}"):
        deliver(there, "generic")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nobody_is_led_elsewhere(there: Hooks, status: int) -> None:
    there.status, there.location = status, there.url + "/elsewhere"
    with pytest.raises(ProgramRefused, match="leads elsewhere"):
        deliver(there, "generic")
    assert [path for path, _headers, _body in there.got] == ["/hook"]


def test_who_does_not_answer_is_not_waited_for(
    there: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outward, "STEP", 0.2)
    there.wait = 1.0
    with pytest.raises(OSError, match="TimeoutError"):
        deliver(there, "generic")


def test_who_answers_a_byte_at_a_time_is_not_waited_for_either(
    there: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outward, "WHOLE", 0.4)
    there.drip = True
    with pytest.raises(OSError, match=r"Timeout|Connection"):
        deliver(there, "generic")


def test_nobody_there(there: Hooks) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    there.url = f"http://127.0.0.1:{port}/a-secret-path"
    with pytest.raises(OSError, match="refused") as error:
        deliver(there, "slack")
    assert "a-secret-path" not in str(error.value)


# ---------------------------------------------------------------- no way inside


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://[::1]/x",
        "https://10.1.2.3/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://192.168.1.1/x",
        "https://[fd00::1]/x",
        "https://[::ffff:10.1.2.3]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[64:ff9b::a00:7]/x",
        "https://[64:ff9b:1::5db8:d822]/x",
        "https://[fec0::1]/x",
        "https://[::10.1.2.3]/x",
        "https://[::ffff:0:10.1.2.3]/x",
        "https://[2002:7f00:1::]/x",
        "https://0.0.0.0/x",
        "https://224.0.0.1/x",
        "http://93.184.216.34/x",
        "ftp://93.184.216.34/x",
        "https://somebody:secret@93.184.216.34/x",
        "https://93.184.216.34:99999/x",
    ],
)
def test_in_production_only_the_internet_is_reached(settings: Any, url: str) -> None:
    settings.PRODUCTION = True
    with pytest.raises(AddressRefused):
        outward.ask(url)


def test_a_name_that_leads_inside_is_refused_when_it_is_connected_to(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the name said when it was entered; one bad address among good ones is enough."""
    settings.PRODUCTION = True
    outward.check("https://hooks.example/x")

    def found(host: str, port: int, **facts: Any) -> list[Any]:
        public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))
        inside = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", port))
        return [public, inside]

    def never(*args: Any, **facts: Any) -> Any:
        raise AssertionError("connected")

    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr(socket, "create_connection", never)
    with pytest.raises(AddressRefused):
        outward.ask("https://hooks.example/x")


def test_what_the_internet_reaches() -> None:
    assert outward.is_public(ipaddress.ip_address("93.184.216.34"))
    assert outward.is_public(ipaddress.ip_address("64:ff9b::5db8:d822"))
    assert outward.is_public(ipaddress.ip_address("2606:2800:220:1::1"))


# ---------------------------------------------------------------- through the outbox


@pytest.mark.django_db(transaction=True)
def test_a_refusal_is_dead_at_once_and_trouble_comes_again(
    real_switchboard: Any, there: Hooks
) -> None:
    shift(somebody("mira"))
    channel(there.url)
    incident = case()
    look()
    there.status = 503
    outbox.send_due(urgency=Notification.Urgency.PAGE)
    row = Notification.objects.get(channel__isnull=False)
    assert (row.state, row.tries) == (State.WAITING, 1)
    assert row.error.startswith("It answered 503")
    there.status = 200
    due_now()
    outbox.send_due(urgency=Notification.Urgency.PAGE)
    row.refresh_from_db()
    assert row.state == State.SENT
    first, second = there.got
    assert first[1]["Idempotency-Key"] == second[1]["Idempotency-Key"]
    there.status = 410
    incidents.acknowledge(incident=incident.pk, actor=OFFICE)
    look(MINUTE)
    outbox.send_due(urgency=Notification.Urgency.PAGE)
    dead = Notification.objects.get(state=State.DEAD)
    assert (dead.tries, dead.values["event"]) == (1, "acknowledge")
    assert there.bodies[-1]["event"] == "acknowledge"


@pytest.mark.django_db(transaction=True)
def test_a_call_that_comes_late_opens_nothing_again(real_switchboard: Any, there: Hooks) -> None:
    shift(somebody("mira"))
    channel(there.url, kind="pagerduty")
    incident = case()
    look()
    there.status = 503
    outbox.send_due(urgency=Notification.Urgency.PAGE)
    incidents.resolve(incident=incident.pk, actor=OFFICE, reason="x")
    look(MINUTE)
    there.status = 202
    due_now()
    outbox.send_due(urgency=Notification.Urgency.PAGE)
    assert [one["event_action"] for one in there.bodies] == ["trigger", "resolve"]
    rows = Notification.objects.exclude(channel=None).order_by("pk")
    assert [row.state for row in rows] == [State.NOT_NEEDED, State.SENT]


def test_a_copy_of_the_school_calls_nobody(there: Hooks, settings: Any) -> None:
    settings.OUTWARD_REQUESTS = False
    with pytest.raises(ProgramRefused, match="OUTWARD_REQUESTS"):
        deliver(there, "slack")
    assert not there.got


def test_a_test_is_told_and_over(there: Hooks) -> None:
    row = channel(there.url, kind="pagerduty")
    testing.send(row, key="test.1")
    assert [one["event_action"] for one in there.bodies] == ["trigger", "resolve"]
    assert {one["dedup_key"] for one in there.bodies} == {"test.1"}
    assert there.bodies[0]["payload"]["severity"] == "info"
    assert not Notification.objects.exists()


# ---------------------------------------------------------------- the ping outwards


def test_whoever_judges_pings_once_a_minute_and_nobody_waits(
    there: Hooks, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HEARTBEAT_URL = there.url
    monkeypatch.setattr(pinging, "_next_at", 0.0)
    there.wait = 2
    began = time.monotonic()
    for _tick in range(5):
        pinging.soon()
    assert time.monotonic() - began < 1.5
    assert pinging._pinging.acquire(timeout=10)  # it is over
    pinging._pinging.release()
    assert [path for path, _headers, _body in there.got] == ["/hook"]


def test_without_an_address_nobody_is_pinged(settings: Any) -> None:
    settings.HEARTBEAT_URL = ""
    before = pinging._next_at
    pinging.soon()
    assert pinging._next_at == before
