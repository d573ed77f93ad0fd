"""The public status page: what stands there, in which language, and how it is answered."""

import json
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from rollback import audit, incidents, registry
from rollback.audit import Actor
from rollback.domain.metrics import Metric
from rollback.models import (
    Flag,
    Incident,
    Maintenance,
    PublicUpdate,
    Sample,
    UptimeDay,
)
from rollback.public.status import days, facts, kept
from tests.rollback.others import behind_everybodys_back
from tests.rollback.trigger_rows import samples

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]

MASTER, CALENDAR = "ENABLE_TEACHER_SCHEDULING", "ENABLE_CALENDAR_DISPLAY"
PAGE, RSS, ATOM = "/status/", "/status/feed.rss", "/status/feed.atom"
JSON = "/status/index.json"
SCHEMA = json.loads((Path(__file__).parent / "status.schema.json").read_text())
SECRET = "Zorniger Hund"  # what stands in rows that nobody may read here


def all_on() -> None:
    """For an hour: what lasts no time was not there."""
    Flag.objects.update(percent=100)
    audit.write_now()
    with behind_everybodys_back() as cursor:
        cursor.execute("UPDATE rollback_flagchange SET changed_at = changed_at - interval '1 hour'")


def an_incident(**fields: Any) -> Incident:
    return Incident.objects.create(
        title=f"{SECRET} title", cause=f"{SECRET} cause", opened_by_name=SECRET, **fields
    )


def publish(incident: Incident, state: str, text: str, **fields: Any) -> PublicUpdate:
    told: dict[str, Any] = {
        "headings": {"en": "The calendar fails", "de": "Der Kalender klemmt"},
        "texts": {"en": text, "de": f"Auf Deutsch: {text}"},
        "components": ["calendar"],
        "published_by_name": SECRET,
    }
    return PublicUpdate.objects.create(incident=incident, state=state, **(told | fields))


def plan(*, starts: timedelta, lasts: timedelta = timedelta(hours=1), **fields: Any) -> Maintenance:
    now = timezone.now()
    told: dict[str, Any] = {
        "headings": {"en": "A new server"},
        "texts": {"en": "Everything stands still."},
        "components": ["school"],
        "announced_from": now + starts - timedelta(days=2),
        "planned_by_name": SECRET,
    }
    begin = now + starts
    return Maintenance.objects.create(starts_at=begin, ends_at=begin + lasts, **(told | fields))


def programs(client: Client) -> dict[str, Any]:
    kept.forget()
    for file in settings.STATUS_DIR.glob("[!.]*"):
        file.unlink()
    found: dict[str, Any] = client.get(JSON).json()
    jsonschema.validate(found, SCHEMA)
    return found


def states(client: Client) -> dict[str, str]:
    return {part["key"]: part["state"] for part in programs(client)["parts"]}


# ---------------------------------------------------------------- what is told


def test_everything_works(client: Client) -> None:
    all_on()
    assert set(states(client).values()) == {"operational"}
    page = client.get(PAGE).content.decode()
    assert "Everything works." in page
    assert "None in the last 90 days." in page
    assert "Enrollment, lessons and messages" in page


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"percent": 40}, {"calendar": "partly off", "scheduling": "operational"}),
        ({"percent": 0}, {"calendar": "off", "scheduling": "operational"}),
        ({"everyone": False}, {"calendar": "off", "scheduling": "operational"}),
    ],
)
def test_what_is_switched_off_is_told_without_its_share(
    client: Client, change: dict[str, Any], expected: dict[str, str]
) -> None:
    all_on()
    Flag.objects.filter(name=CALENDAR).update(**change)
    found = states(client)
    assert {key: found[key] for key in expected} == expected
    assert "40" not in re.sub(
        r"<svg.*?</svg>|\d\d:\d\d", "", client.get(PAGE).content.decode(), flags=re.S
    )


def test_what_nobody_has_had_yet_is_no_trouble(client: Client) -> None:
    found = programs(client)
    assert {part["state"] for part in found["parts"]} == {"operational", "not yet"}
    assert "Everything works that there is yet." in client.get(PAGE).content.decode()


def test_a_master_takes_its_features_along_but_not_the_school(client: Client) -> None:
    all_on()
    Flag.objects.filter(name=MASTER).update(everyone=False)
    found = states(client)
    assert found.pop("school") == "operational"
    assert set(found.values()) == {"off"}


def test_an_incident_is_told_as_it_was_published_and_nothing_else(client: Client) -> None:
    all_on()
    incident = an_incident()
    assert states(client)["calendar"] == "operational", "nothing was published yet"
    next_at = timezone.now() + timedelta(minutes=20)
    publish(incident, "investigating", "We look into it.")
    publish(incident, "identified", "It is a <b>cable</b>.", next_at=next_at)
    found = programs(client)
    assert {part["key"]: part["state"] for part in found["parts"]}["calendar"] == "degraded"
    assert [one["state"] for one in found["incidents"][0]["updates"]] == [
        "identified",
        "investigating",
    ]
    page = client.get(PAGE).content.decode()
    assert page.index("It is a &lt;b&gt;cable&lt;/b&gt;.") < page.index("We look into it.")
    assert "The next update comes by" in page
    for path in (PAGE, RSS, ATOM, JSON):
        assert SECRET not in client.get(path).content.decode()


@pytest.mark.parametrize("is_told", [True, False])
def test_a_resolved_one_is_of_the_past(client: Client, is_told: bool) -> None:
    all_on()
    incident = an_incident()
    publish(incident, "monitoring", "We watch it.")
    if is_told:
        publish(incident, "resolved", "It is over.")
    else:
        incidents.resolve(incident=incident.pk, actor=Actor(name="a test"), reason="It is over.")
    found = programs(client)
    assert [one["is_over"] for one in found["incidents"]] == [True]
    assert found["state"] == "operational"
    page = client.get(PAGE).content.decode()
    assert "What is going on" not in page
    assert page.index("Past incidents") < page.index("We watch it.")


def test_planned_work_is_announced_and_then_goes_on(client: Client) -> None:
    all_on()
    plan(starts=timedelta(hours=3))
    plan(starts=timedelta(days=9))
    plan(starts=timedelta(hours=1), cancelled_at=timezone.now())
    plan(starts=timedelta(hours=-3))
    found = programs(client)
    assert len(found["maintenance"]) == 1
    assert found["state"] == "operational"
    plan(starts=timedelta(minutes=-5))
    assert states(client)["school"] == "maintenance"


def test_failing_requests_are_trouble_from_enough_of_them_on(client: Client) -> None:
    all_on()
    samples((6, 100, 6), now=timezone.now(), feature="")
    assert states(client)["school"] == "degraded"
    samples((6, 100, 5), now=timezone.now(), feature="")
    assert states(client)["school"] == "operational"
    samples((6, 3, 3), now=timezone.now(), feature="")
    assert states(client)["school"] == "operational"


def test_languages_are_not_mixed(client: Client) -> None:
    all_on()
    publish(an_incident(), "identified", "A cable.")
    german = client.get(PAGE, headers={"accept-language": "de"})
    assert german.headers["Content-Language"] == "de"
    assert '<html lang="de"' in german.content.decode()
    assert "Der Kalender klemmt" in german.content.decode()
    assert "The calendar fails" not in german.content.decode()
    client.cookies["django_language"] = "de"
    assert "Der Kalender klemmt" in client.get(PAGE).content.decode()
    english = client.get(PAGE, {"lang": "en"}).content.decode()
    assert "The calendar fails" in english
    assert "klemmt" not in english
    # Nobody has written Spanish: the school's own language, and it says so.
    spanish = client.get(PAGE, {"lang": "es"}).content.decode()
    assert re.search(r'<h3 lang="en"\s*>The calendar fails', spanish)


# ---------------------------------------------------------------- feeds


@pytest.mark.parametrize("path", [RSS, ATOM])
def test_feeds_name_whole_addresses_and_stay_the_same(client: Client, path: str) -> None:
    all_on()
    incident = an_incident()
    first = publish(incident, "investigating", "We look into it.")
    second = publish(incident, "resolved", "It is over.")
    work = plan(starts=timedelta(hours=3))
    response = client.get(path, {"lang": "de"})
    root = ElementTree.fromstring(response.content)
    text = response.content.decode()
    guids = re.findall(r"<(?:guid[^>]*|id)>([^<]+)</", text)
    items = [one for one in guids if "#update" in one or "#work" in one]
    base = "http://localhost:8000/status/#"
    assert set(items) == {
        f"{base}update-{first.pk}",
        f"{base}update-{second.pk}",
        f"{base}work-{work.pk}",
    }
    page = client.get(PAGE).content.decode()
    assert all(f'id="{one.removeprefix(base)}"' in page for one in items)
    assert all(link.startswith("http") for link in re.findall(r'(?:href="|<link>)([^"<]+)', text))
    language = root.findtext("channel/language") or root.get(
        "{http://www.w3.org/XML/1998/namespace}lang"
    )
    assert language == "de"
    assert "Auf Deutsch: It is over." in text
    assert client.get(path, {"lang": "de"}).content.decode() == text


# ---------------------------------------------------------------- ninety days


def hours_of_a_day(on: datetime, *, bad: int = 0) -> None:
    """Counted in each of its minutes; in so many of them too much failed."""
    Sample.objects.bulk_create(
        Sample(
            metric=Metric.REQUESTS,
            feature="",
            is_on=True,
            begins_at=on + timedelta(minutes=number),
            seconds=60,
            total=10,
            bad=5 if number < bad else 0,
        )
        for number in range(1440)
    )


def test_a_day_is_counted_from_samples_and_from_the_audit(client: Client, settings: Any) -> None:
    settings.TIME_ZONE = "UTC"
    now = timezone.now()
    day = (now - timedelta(days=3)).replace(hour=0, minute=0, second=0, microsecond=0)
    hours_of_a_day(day, bad=72)
    assert days.settle(now=now, may_go_on=lambda: True) == days.AT_ONCE
    found = {one.on: one for one in days.past(now=now).days["school"]}
    assert len(found) == 90
    assert (found[day.date()].known_minutes, found[day.date()].share) == (1440, 0.95)
    gap = found[(day - timedelta(days=1)).date()]
    assert (gap.known_minutes, gap.share) == (0, None)
    stored = UptimeDay.objects.get(part="school", on_date=day.date())
    assert (stored.known_minutes, stored.down_minutes) == (1440, 72)
    # A day that is over does not change any more, whatever becomes of the samples; nor is it stored twice.
    Sample.objects.all().delete()
    days.settle(now=now, may_go_on=lambda: True)
    again = {one.on: one for one in days.past(now=now).days["school"]}
    assert again[day.date()].share == 0.95


def test_days_that_nobody_stored_come_a_few_at_a_time() -> None:
    noon = timezone.now().replace(hour=12)
    parts = len(registry.features()) + 1
    for times in range(1, 4):
        assert days.settle(now=noon, may_go_on=lambda: True) == days.AT_ONCE
        assert UptimeDay.objects.count() == parts * days.AT_ONCE * times
    assert days.settle(now=noon, may_go_on=lambda: False) == 0


def ranges(monkeypatch: pytest.MonkeyPatch) -> list[timedelta]:
    """How long each stretch of samples is that is read from now on."""
    found, real = [], days._samples

    def samples(begins_at: datetime, ends_at: datetime) -> Any:
        found.append(ends_at - begins_at)
        return real(begins_at, ends_at)

    monkeypatch.setattr(days, "_samples", samples)
    return found


def test_the_page_reads_no_more_of_the_past_however_much_of_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As at the first start; and as with a new feature, of which nothing is stored."""
    read, noon = ranges(monkeypatch), timezone.now().replace(hour=12)
    days.past(now=noon)
    monkeypatch.setattr(days, "AT_ONCE", days.SHOWN)
    days.settle(now=noon, may_go_on=lambda: True)
    UptimeDay.objects.filter(part="calendar").delete()
    days.past(now=noon)
    assert [one < timedelta(days=2) for one in (read[0], read[-1])] == [True, True]
    assert max(read[1:-1]) <= timedelta(hours=25), "each day by itself, one of them with 25 hours"
    assert len(read) == 1 + (days.SHOWN - 1) + 1


def test_a_day_that_takes_too_long_keeps_no_other_from_being_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, noon, asked = days._samples, timezone.now().replace(hour=12), []

    def samples(begins_at: datetime, ends_at: datetime) -> Any:
        asked.append(begins_at)
        if len(asked) == 1:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(5)")
        return real(begins_at, ends_at)

    monkeypatch.setattr(days, "STATEMENT", "20ms")
    monkeypatch.setattr(days, "_samples", samples)
    assert days.settle(now=noon, may_go_on=lambda: len(asked) < 3) == 2
    assert UptimeDay.objects.dates("on_date", "day").count() == 2


def test_so_many_rows_or_more_are_as_many_queries() -> None:
    all_on()
    now = timezone.now()

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            facts.read(now=now)
        return len(queries)

    publish(an_incident(), "identified", "A cable.")
    before = asked()
    for number in range(20):
        publish(an_incident(), "identified", f"Cable {number}.")
        plan(starts=timedelta(hours=number))
    hours_of_a_day(now.replace(microsecond=0, second=0) - timedelta(days=2), bad=50)
    assert asked() == before <= 8


# ---------------------------------------------------------------- how it is answered


@pytest.mark.parametrize("path", [PAGE, RSS, ATOM, JSON])
def test_it_is_for_caches_and_knows_nobody(
    client: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.cookies["sessionid"] = "x" * 32

    def no_session(*_: object) -> None:
        pytest.fail("the session was read")

    monkeypatch.setattr(SessionStore, "load", no_session)
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "public, max-age=15"
    assert "Set-Cookie" not in response.headers
    assert not response.cookies
    vary = response.headers.get("Vary", "")
    assert vary == ("" if path == JSON else "Accept-Language, Cookie")
    assert "Vary" not in client.get(path, {"lang": "de"}).headers
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert response.headers.get("Access-Control-Allow-Origin") == (None if path == PAGE else "*")
    tag = response.headers["ETag"]
    again = client.get(path, headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(response.content))
    assert client.post(path).status_code == 405


def test_within_half_a_minute_the_database_is_not_asked(client: Client) -> None:
    client.get(PAGE)
    with CaptureQueriesContext(connection) as queries:
        for path in (PAGE, RSS, ATOM, JSON):
            assert client.get(path).status_code == 200
    assert len(queries) == 0


def test_the_page_has_no_inline_style_and_no_script(client: Client) -> None:
    publish(an_incident(), "identified", "A cable.")
    page = client.get(PAGE).content.decode()
    assert "style=" not in page
    assert "<script" not in page
    assert "<style" not in page
    assert "<!--" not in page


def test_every_page_of_the_school_leads_there(client: Client) -> None:
    assert 'href="/status/"' in client.get("/").content.decode()


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def lose() -> None:
        def fail(**_: object) -> None:
            raise OperationalError("gone")

        monkeypatch.setattr(facts, "read", fail)

    return lose


def test_an_old_one_says_how_old_it_is(client: Client, gone: Callable[[], None]) -> None:
    client.get(PAGE)
    grow_old(datetime(2026, 3, 10, 13, 5, tzinfo=UTC))
    gone()
    response = client.get(PAGE)
    assert response.status_code == 200
    words = "As of Tue 10 March 2026, 14:05; cannot be brought up to date at the moment."
    assert words in response.content.decode()
    assert client.get(JSON).json()["is_current"] is False
    assert "Stand" not in response.content.decode()


def test_without_any_it_says_so(client: Client, gone: Callable[[], None]) -> None:
    gone()
    response = client.get(PAGE)
    assert response.status_code == 200
    assert "cannot be told at the moment" in response.content.decode()
    found = client.get(JSON).json()
    jsonschema.validate(found, SCHEMA)
    assert (found["is_current"], found["as_of"]) == (False, None)
    for path in (RSS, ATOM):
        ElementTree.fromstring(client.get(path).content)


def test_after_a_failure_nobody_else_waits_for_the_database(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fail(**_: object) -> None:
        asked.append(1)
        raise OperationalError("gone")

    monkeypatch.setattr(facts, "read", fail)
    for _ in range(5):
        client.get(PAGE)
    assert len(asked) == 1


def test_a_broken_row_is_no_broken_page(client: Client) -> None:
    client.get(PAGE)
    publish(an_incident(), "identified", "x", headings=["not by language"])
    grow_old(timezone.now() - timedelta(minutes=5))
    response = client.get(PAGE)
    assert response.status_code == 200
    assert "cannot be brought up to date" in response.content.decode()


@pytest.mark.parametrize("odd", ["\x0b", "\x0c", "\x08", "\x1f", "\x85", "\ufffe"])
def test_a_character_that_no_feed_can_carry_stops_nothing(client: Client, odd: str) -> None:
    """Stored before anybody looked, by whatever way."""
    headings = {"en": f"The {odd}calendar"}
    publish(an_incident(), "identified", f"A cab{odd}le.", headings=headings)
    plan(starts=timedelta(hours=1), headings=headings, texts={"en": f"Stand{odd}still."})
    for path in (RSS, ATOM):
        feed = client.get(path).content
        ElementTree.fromstring(feed)
        assert "calendar" in feed.decode()
    page, told = client.get(PAGE).content.decode(), client.get(JSON).json()
    assert "calendar" in page
    assert odd not in page
    [incident], [work] = told["incidents"], told["maintenance"]
    assert odd not in "".join([work["texts"]["en"], *incident["updates"][0]["texts"].values()])
    assert told["is_current"] is True


def test_one_feed_that_breaks_keeps_nobody_from_the_page(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("no such thing in XML")

    monkeypatch.setattr("rollback.public.status.feeds._item", broken)
    publish(an_incident(), "identified", "A cable.")
    assert "A cable." in client.get(PAGE).content.decode()
    assert client.get(JSON).json()["is_current"] is True
    assert not list(ElementTree.fromstring(client.get(RSS).content).iter("item"))


def test_a_page_that_is_broken_keeps_no_day_from_being_stored(client: Client) -> None:
    publish(an_incident(), "identified", "x", headings=["not by language"])
    assert kept.look(by="a test") is False
    assert UptimeDay.objects.exists()


def test_after_a_lost_database_looking_pauses_and_the_connection_is_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, let_go = [], []

    def fail(**_: object) -> None:
        asked.append(1)
        raise OperationalError("gone")

    monkeypatch.setattr(facts, "read", fail)
    monkeypatch.setattr(kept, "_let_go", lambda: let_go.append(1))
    assert [kept.look(by="a test") for _ in range(5)] == [False] * 5
    assert (asked, let_go) == ([1], [1])
    assert not UptimeDay.objects.exists()


def test_a_file_that_is_missing_is_made_though_the_others_are_young(client: Client) -> None:
    client.get(PAGE)
    kept.forget()
    (settings.STATUS_DIR / "index.de.html").unlink()
    assert "Riverside School" in client.get(PAGE, {"lang": "de"}).content.decode()
    assert (settings.STATUS_DIR / "index.de.html").exists()


def test_where_nothing_can_be_written_it_answers_from_memory(
    client: Client, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "a file").touch()
    settings.STATUS_DIR = tmp_path / "a file" / "status"
    assert "Parts of the school" in client.get(PAGE).content.decode()
    with CaptureQueriesContext(connection) as queries:
        assert "Parts of the school" in client.get(PAGE).content.decode()
    assert len(queries) == 0


def grow_old(as_of: datetime) -> None:
    kept.forget()
    for file in settings.STATUS_DIR.iterdir():
        os.utime(file, (as_of.timestamp(), as_of.timestamp()))


def test_the_evaluator_and_beat_keep_it_young_and_store_the_days(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "AT_ONCE", days.SHOWN)
    client.get(PAGE)
    assert not UptimeDay.objects.exists()
    assert kept.look(by="a test") is True, "though somebody who asked has just made it"
    assert UptimeDay.objects.count() >= (days.SHOWN - 2) * (len(registry.features()) + 1)
    assert kept.look(by="a test") is True, "there might have been more"
    assert kept.look(by="a test") is False
    grow_old(timezone.now() - timedelta(minutes=1))
    assert kept.look(by="a test") is True
