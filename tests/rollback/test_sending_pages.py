"""Words to an incident's people in the office: looked at, released, paused, stopped, written again."""

import json
import re
from datetime import timedelta
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.roles import give_permissions
from enrollment.models import Course, User
from rollback import affected, incidents, outbox, sendings
from rollback import words as letters
from rollback.audit import Actor, ChangeRefused
from rollback.console import markdown, story
from rollback.models import (
    AffectedPerson,
    EnrollmentDraft,
    Incident,
    IncidentEvent,
    Notification,
    Sending,
)
from tests.conftest import make_student, make_user

pytestmark = pytest.mark.usefixtures("flag_rows")

CALENDAR = "ENABLE_CALENDAR_DISPLAY"
PERSON = Actor(name="a person")
PART = {"HX-Request": "true"}
ROOM = "/admin/rollback/flag/room/"
EVIL = "<script>alert(1)</script> {{ name }} & so on"


@pytest.fixture
def office(client: Client, staff: User) -> Client:
    give_permissions()
    client.force_login(staff)
    return client


@pytest.fixture
def incident(course: Course) -> Incident:
    early = timezone.now() - timedelta(hours=1)
    for number, language in enumerate(("", "de", "de")):
        student = make_student(f"{number}@school.example")
        User.objects.filter(pk=student.user_id).update(language=language)
        EnrollmentDraft.objects.create(
            student=student, course=course, saved_at=early, started_at=early
        )
    opened = incidents.open_with_latches(
        title="Calendar: errors", flags=[CALENDAR], actor=PERSON, cause="test"
    )
    affected.freeze(opened)
    sendings.prepare_due(opened)
    return opened


@pytest.fixture
def sending(incident: Incident) -> Sending:
    return Sending.objects.get(incident=incident)


def page(incident: Incident, step: str = "change") -> str:
    return f"/admin/rollback/incident/{incident.pk}/{step}/"


def step(sending: Sending, name: str) -> str:
    return f"/admin/rollback/incident/{sending.incident_id}/words/{sending.pk}/{name}/"


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).replace(" :", ":")


def text(client: Client, url: str, **options: Any) -> str:
    answer = client.get(url, **options)
    assert answer.status_code == 200
    return words(answer.content.decode())


def state(sending: Sending) -> str:
    sending.refresh_from_db()
    return sending.state


def released_as_shown(office: Client, sending: Sending) -> str:
    """What the page carries: which words it shows."""
    html = office.get(step(sending, "release")).content.decode()
    found = re.search(r'name="versions" value="([^"]*)"', html)
    assert found
    return unescape(found[1])


def release(office: Client, sending: Sending, people: str, *, versions: str | None = None) -> Any:
    if versions is None:
        versions = released_as_shown(office, sending)
    return office.post(step(sending, "release"), {"people": people, "versions": versions})


# ---------------------------------------------------------------- what is seen


def test_before_anything_goes_out_it_is_seen_to_how_many(
    office: Client, incident: Incident
) -> None:
    seen = text(office, page(incident))
    assert "Words to people" in seen
    assert "Enrollment affected Prepared: 3 held back" in seen
    assert "Reason English German Together in the middle of enrolling 1 2 3" in seen
    assert "Each of them once 1 2 3" in seen
    assert "Look at it and release it …" in seen
    assert "Write to them again …" in seen


def test_what_is_asked_for_again_is_the_section_and_nothing_where_it_is_the_same(
    office: Client, sending: Sending, incident: Incident
) -> None:
    url = page(incident, "words")
    answer = office.get(url, headers=PART)
    html = answer.content.decode()
    assert html.lstrip().startswith('<section id="words"')
    assert "csrfmiddlewaretoken" not in html
    assert answer.headers["ETag"] in office.get(page(incident)).content.decode().replace(
        "&quot;", '"'
    )
    again = {**PART, "If-None-Match": answer.headers["ETag"]}
    assert office.get(url, headers=again).status_code == 304
    outbox.release(sending=sending.pk, actor=PERSON)
    Notification.objects.filter(pk=sending.notifications.earliest("pk").pk).update(
        state="sent", bounced_at=timezone.now()
    )
    changed = office.get(url, headers=again)
    assert changed.status_code == 200
    seen = words(changed.content.decode())
    assert "Going out: 1 sent, 2 waiting, 1 came back" in seen
    assert "1 of 3" in seen
    assert "Pause it" in seen
    # Without a script, the page itself.
    assert office.get(url).headers["Location"] == f"{page(incident)}#words"


def test_the_people_of_a_sending_each_with_the_reason(office: Client, sending: Sending) -> None:
    Notification.objects.filter(user__email="1@school.example").update(
        state="dead", error="550 no such user"
    )
    seen = text(office, step(sending, "people"))
    assert "3 people, each with the reason" in seen
    assert "1@school.example in the middle of enrolling German given up 550 no such user" in seen


def test_the_list_of_people_is_paged(office: Client, sending: Sending) -> None:
    users = User.objects.bulk_create(
        [User(email=f"many-{number}@school.example") for number in range(60)]
    )
    Notification.objects.bulk_create(
        [Notification(sending=sending, user=user, state="held") for user in users]
    )
    first = office.get(step(sending, "people")).content.decode()
    assert first.count("<tr>") == 51
    assert 'href="?p=2"' in first
    last = office.get(step(sending, "people") + "?p=2").content.decode()
    assert last.count("<tr>") == 14
    assert office.get(step(sending, "people") + "?p=nonsense").status_code == 200


def test_as_many_queries_for_a_thousand_as_for_ten(
    office: Client, incident: Incident, sending: Sending
) -> None:
    def people(number: int) -> None:
        users = User.objects.bulk_create(
            [User(email=f"{number}-{one}@school.example") for one in range(number)]
        )
        AffectedPerson.objects.bulk_create(
            [AffectedPerson(incident=incident, user=user, reasons=["draft"]) for user in users]
        )
        Notification.objects.bulk_create(
            [
                Notification(sending=sending, user=user, reasons=["draft"], state="held")
                for user in users
            ]
        )

    def queries() -> list[int]:
        found = []
        for url in (
            page(incident),
            step(sending, "release"),
            step(sending, "people"),
            page(incident, "write"),
        ):
            with CaptureQueriesContext(connection) as asked:
                assert office.get(url).status_code == 200
            found.append(len(asked))
        return found

    people(60)
    queries()
    few = queries()
    people(1000)
    assert queries() == few


# ---------------------------------------------------------------- what is done


def test_it_is_read_as_they_will_read_it_and_released_by_typing_how_many(
    office: Client, sending: Sending, staff: User
) -> None:
    seen = text(office, step(sending, "release"))
    assert "Your enrollment has been saved" in seen
    assert "English: in the middle of enrolling" in seen
    assert "German: in the middle of enrolling" in seen
    assert "Type 3 to release it." in seen
    for wrong in ("2", "", "three", "-"):
        answer = release(office, sending, wrong)
        assert answer.status_code == 200
        assert state(sending) == "held"
    assert "It is 3 people now. If that is right, type 3." in words(answer.content.decode())
    answer = release(office, sending, " 3 ")
    assert (
        answer.headers["Location"]
        == f"/admin/rollback/incident/{sending.incident_id}/change/#words"
    )
    assert state(sending) == "going"
    assert sending.released_by == staff


def test_who_may_not_see_who_is_affected_reads_it_with_samples(
    client: Client, sending: Sending, course: Course
) -> None:
    Sending.objects.update(news={"en": "We are at it.", "de": "Wir sind dabei."})
    User.objects.filter(email__endswith="@school.example").update(
        first_name="Zora", last_name="Quill"
    )
    Course.objects.update(title="Tuba for one")
    sender = make_user("sender@school.example", is_staff=True)
    rights = Permission.objects.filter(codename__in=("view_incident", "send"))
    sender.user_permissions.set(rights)
    client.force_login(sender)
    seen = text(client, step(sending, "release"))
    for real in ("Quill", "Tuba", "0@school.example"):
        assert real not in seen
    for told in (
        "Ada Vogel",
        "Violin for beginners",
        "We are at it.",
        "Wir sind dabei.",
        "German: in the middle of enrolling",
        "Type 3 to release it.",
    ):
        assert told in seen
    sender.user_permissions.add(Permission.objects.get(codename="view_affectedperson"))
    client.force_login(User.objects.get(pk=sender.pk))
    seen = text(client, step(sending, "release"))
    assert "Quill" in seen
    assert "Tuba" in seen


def test_who_has_left_meanwhile_is_seen_before_it_goes_out(
    office: Client, sending: Sending
) -> None:
    office.get(step(sending, "release"))
    sending.notifications.earliest("pk").delete()
    answer = release(office, sending, "3")
    assert "It is 2 people now. If that is right, type 2." in words(answer.content.decode())
    assert 'value="3"' in answer.content.decode()  # what was typed stands there
    assert state(sending) == "held"


def reworded(sentence: str, *, seen: int, html: str = "") -> None:
    saved = letters.save(
        key="enrollment",
        language="de",
        subject="Wir bitten um Geduld",
        text=f"{sentence}\n\n{{{{ saved }}}}\n\n{{{{ link }}}}",
        html=html,
        seen=seen,
        actor=PERSON,
    )
    assert saved


def test_words_that_changed_since_they_were_read_are_not_released_but_shown(
    office: Client, sending: Sending
) -> None:
    shown = released_as_shown(office, sending)
    reworded("Von jemand anderem.", seen=0)
    for versions in (shown, "", "[]", "no json"):
        answer = release(office, sending, "3", versions=versions)
        assert answer.status_code == 200
        seen = words(answer.content.decode())
        assert "The letter was changed meanwhile. Read it again, then release it." in seen
        assert "Von jemand anderem." in seen
        assert state(sending) == "held"
    # In the moment between.
    with pytest.raises(ChangeRefused, match="was changed meanwhile"):
        outbox.release(sending=sending.pk, actor=PERSON, versions=json.loads(shown))
    assert release(office, sending, "3").status_code == 302
    assert state(sending) == "going"
    assert sending.versions == {"en": 0, "de": 1, "es": 0}


def test_what_was_released_goes_out_whatever_is_saved_later(
    office: Client, sending: Sending
) -> None:
    reworded("So freigegeben.", seen=0)
    release(office, sending, "3")
    reworded("Nicht freigegeben.", seen=1)
    letters.save(
        key="enrollment",
        language="en",
        subject="Not released",
        text="Not released either. {{ saved }}\n\n{{ link }}",
        seen=0,
        actor=PERSON,
    )
    assert outbox.send_due() == {"sent": 3}
    german = [one for one in mail.outbox if one.subject == "Wir bitten um Geduld"]
    assert len(german) == 2
    assert all("So freigegeben." in one.body for one in german)
    assert "Your enrollment has been saved" in [one.subject for one in mail.outbox]
    assert set(sending.notifications.values_list("version", flat=True)) == {0, 1}


def test_a_letter_with_its_own_html_is_seen_as_it_is_drawn(
    office: Client, sending: Sending
) -> None:
    assert "<iframe" not in office.get(step(sending, "release")).content.decode()
    html = '<p>Nur im HTML. {{ saved }}</p><p><a href="{{ link }}">Weiter</a></p>'
    reworded("Im Text.", seen=0, html=html)
    page = office.get(step(sending, "release")).content.decode()
    found = re.findall(r'<iframe[^>]*src="([^"]*)"[^>]*sandbox', page)
    assert len(found) == 1
    answer = office.get(unescape(found[0]))
    assert "Nur im HTML." in answer.content.decode()
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    for wrong in ("", "?row=1&version=x", "?row=0&version=1", "?row=1&version=9"):
        assert office.get(step(sending, "drawn") + wrong).status_code == 404


def test_paused_resumed_and_stopped(office: Client, sending: Sending) -> None:
    release(office, sending, "3")
    for name in ("pause", "resume"):
        assert office.get(step(sending, name)).status_code == 405
    assert office.post(step(sending, "pause")).status_code == 302
    assert state(sending) == "paused"
    assert "Go on" in text(office, page(sending.incident))  # type: ignore[arg-type]
    office.post(step(sending, "resume"))
    assert state(sending) == "going"
    assert "cannot be resumed" in text(office, step(sending, "stop"))
    assert state(sending) == "going"
    office.post(step(sending, "stop"))
    assert state(sending) == "stopped"
    seen = text(office, page(sending.incident))  # type: ignore[arg-type]
    assert "Stopped: 3 stopped" in seen
    assert "Pause it" not in seen


@pytest.mark.parametrize("name", ["release", "pause", "resume", "stop"])
def test_a_page_that_is_older_than_what_happened_says_so(
    office: Client, sending: Sending, name: str
) -> None:
    outbox.stop(sending=sending.pk, actor=PERSON)
    seen = office.post(step(sending, name), {"people": "3"}, follow=True)
    assert "This sending is “stopped”: that cannot be done now." in seen.content.decode()
    if name in ("release", "stop"):
        shown = text(office, step(sending, name))
        assert "This sending is “stopped”: that cannot be done now." in shown
        assert "Type 3" not in shown
    assert state(sending) == "stopped"


def test_a_sending_of_another_incident_or_to_the_staff_is_not_found(
    office: Client, sending: Sending, incident: Incident
) -> None:
    other = incidents.open_case(title="Odd", flags=[], actor=PERSON, cause="x")
    assert other is not None
    briefing = Sending.objects.create(
        incident=incident, letter="briefing", number=1, prepared_by_name="x"
    )
    for name in ("release", "pause", "resume", "stop", "people", "drawn"):
        for url in (
            f"/admin/rollback/incident/{other.pk}/words/{sending.pk}/{name}/",
            step(briefing, name),
        ):
            assert office.post(url).status_code == 404, url
    assert office.get(step(sending, "nothing")).status_code == 404


def test_who_may_only_look_sees_no_button_and_no_person(client: Client, sending: Sending) -> None:
    looker = make_user("looker@school.example", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_incident"))
    client.force_login(looker)
    seen = text(client, page(sending.incident))  # type: ignore[arg-type]
    assert "3 held back" in seen
    for button in ("release it …", "Stop it", "To whom", "Write to them"):
        assert button not in seen
    for name in ("release", "pause", "resume", "stop", "people", "drawn"):
        assert client.post(step(sending, name), {"people": "3"}).status_code == 403
    assert client.get(page(sending.incident, "write")).status_code == 403  # type: ignore[arg-type]
    assert state(sending) == "held"


def test_a_form_of_another_site_does_nothing(sending: Sending, staff: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff)
    for name in ("release", "stop", "pause"):
        assert strict.post(step(sending, name), {"people": "3"}).status_code == 403
    assert state(sending) == "held"


# ---------------------------------------------------------------- written again


def answers(sending: Sending, **more: str) -> dict[str, Any]:
    return {"letter": "enrollment", "reasons": "draft", "seen": str(sending.pk), **more}


def test_a_further_update_with_news_in_each_language(
    office: Client, incident: Incident, sending: Sending
) -> None:
    seen = office.get(page(incident, "write")).content.decode()
    assert "in the middle of enrolling (3)" in seen
    assert "2 people read it." in seen
    assert "News, in Spanish" not in seen  # nobody reads it
    at = timezone.localtime() + timedelta(minutes=20)
    told = {
        "news_en": EVIL,
        "news_de": "Wir haben die Ursache.",
        "next_news_at": f"{at:%Y-%m-%dT%H:%M}",
    }
    answer = office.post(page(incident, "write"), answers(sending, **told))
    made = Sending.objects.latest("pk")
    assert answer.headers["Location"] == step(made, "release")
    assert (made.number, made.state, made.notifications.count()) == (2, "held", 3)
    html = office.get(step(made, "release")).content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ name }} &amp; so on" in html
    assert "Wir haben die Ursache." in html
    assert f"{at:%H:%M}" in html
    release(office, made, "3")
    outbox_text = markdown.of(story.tell(incident, now=timezone.now()))
    assert "Enrollment affected, update 2" in outbox_text


@pytest.mark.parametrize(
    ("told", "field", "sentence"),
    [
        ({"reasons": []}, "reasons", "Choose at least one."),
        ({"letter": "page"}, "letter", "Select a valid choice"),
        ({"letter": "all_clear"}, "letter", "Select a valid choice"),
        (
            {"news_en": "Only in English.", "news_de": ""},
            "news_de",
            "Say it in this language as well",
        ),
        ({"next_news_at": "yesterday"}, "next_news_at", "Write it like 2026-04-01 15:30."),
        ({"next_news_at": "2020-01-01T10:00"}, "next_news_at", "choose a later time"),
        ({"news_en": "x" * 2001, "news_de": "x"}, "news_en", "at most 2000 characters"),
    ],
)
def test_what_cannot_be_sent_is_said_at_its_field_and_nothing_is_lost(
    office: Client,
    incident: Incident,
    sending: Sending,
    told: dict[str, Any],
    field: str,
    sentence: str,
) -> None:
    kept: dict[str, Any] = {"news_de": "Wir wissen mehr."} | told
    answer = office.post(page(incident, "write"), answers(sending) | kept)
    assert answer.status_code == 200
    assert sentence in str(answer.context["form"].errors[field])
    typed = [kept[name] for name in ("news_en", "news_de") if kept.get(name)]
    assert all(words in answer.content.decode() for words in typed)
    assert Sending.objects.count() == 1


def test_somebody_else_was_faster(office: Client, incident: Incident, sending: Sending) -> None:
    """Told once; whoever has seen it may send theirs all the same."""
    office.get(page(incident, "write"))
    sendings.write(
        incident=incident, letter="enrollment", actor=PERSON, reasons=["draft"], seen=sending.pk
    )
    answer = office.post(page(incident, "write"), answers(sending))
    html = answer.content.decode()
    assert "a person has prepared “Enrollment affected” meanwhile." in html
    assert Sending.objects.count() == 2
    [seen] = re.findall(r'name="seen" value="(\d+)"', html)
    office.post(page(incident, "write"), answers(sending) | {"seen": seen})
    assert Sending.objects.count() == 3


def test_of_a_case_nobody_is_written_to(office: Client) -> None:
    case = incidents.open_case(title="Odd", flags=[CALENDAR], actor=PERSON, cause="x")
    assert case is not None
    affected.freeze(case)
    seen = text(office, page(case))
    assert "Nobody was written to." in seen
    assert "Write to them" not in seen


def test_a_letter_that_may_not_be_true_any_more_says_so(
    office: Client, incident: Incident, sending: Sending
) -> None:
    Notification.objects.filter(sending=sending).update(state="sent")
    Sending.objects.filter(pk=sending.pk).update(state="done")
    sendings.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    clear = Sending.objects.get(letter="all_clear")
    assert "was never verified" in text(office, step(clear, "release"))
    Incident.objects.filter(pk=incident.pk).update(verified_at=timezone.now())
    assert "was never verified" not in text(office, step(clear, "release"))
    Sending.objects.filter(pk=sending.pk).update(state="held")
    assert "look whether what the letter says is still so" in text(office, step(sending, "release"))


# ---------------------------------------------------------------- the console


def test_the_console_counts_what_waits_and_says_it_is_the_next_thing_to_do(
    office: Client, incident: Incident, sending: Sending
) -> None:
    Incident.objects.filter(pk=incident.pk).update(acknowledged_at=timezone.now())
    html = office.get(ROOM).content.decode()
    assert "1 letter waits to be released" in html
    assert f'href="{page(incident)}#words"' in html
    sendings.write(
        incident=incident, letter="enrollment", actor=PERSON, reasons=["draft"], seen=sending.pk
    )
    assert "2 letters wait to be released" in office.get(ROOM).content.decode()
    for one in Sending.objects.all():
        outbox.stop(sending=one.pk, actor=PERSON)
    assert "to be released" not in office.get(ROOM).content.decode()


# ---------------------------------------------------------------- the timeline, the figures


def test_the_timeline_says_what_was_sent_to_how_many(
    office: Client, incident: Incident, sending: Sending
) -> None:
    outbox.release(sending=sending.pk, actor=PERSON)
    outbox.pause(sending=sending.pk, actor=PERSON)
    outbox.resume(sending=sending.pk, actor=PERSON)
    rows = sending.notifications.order_by("pk")
    rows.filter(pk=rows[0].pk).update(state="dead")
    rows.exclude(state="dead").update(state="sent")
    from rollback.outbox import going

    going.finish(actor=Actor(name="outbox", automatic=True))
    told = [
        line.details
        for line in story.tell(incident, now=timezone.now()).lines
        if line.what == "people were told"
    ]
    assert told == [
        ["“Enrollment affected”, prepared, held back until it is released, 3 people"],
        ["“Enrollment affected”, released, 3 people"],
        ["“Enrollment affected”, paused, 3 people"],
        ["“Enrollment affected”, resumed, 3 people"],
        ["“Enrollment affected”, all of it has gone out, 2 people", "1 given up"],
    ]


@pytest.mark.parametrize(
    ("kind", "facts", "expected"),
    [
        ("paged", {"page": 3, "level": 1, "user": 7, "people": 1}, ["Called as number 1."]),
        (
            "paged",
            {"page": 3, "level": 10, "user": None, "people": 4},
            ["Everybody was called who may switch features off: 4 people."],
        ),
        ("published", {"update": 5, "state": "identified"}, ["The public reads: Identified"]),
        ("published", {"update": 5, "state": "odd"}, ["The public reads: odd"]),
        (
            "mailed",
            {"sending": 1, "letter": "gone", "number": 2, "what": "stopped", "people": 1},
            ["“gone”, update 2, stopped, 1 person"],
        ),
    ],
)
def test_calls_and_public_words_stand_in_the_timeline(
    incident: Incident, kind: str, facts: dict[str, Any], expected: list[str]
) -> None:
    event = incidents.record(incident=incident.pk, kind=kind, actor=PERSON, **facts)
    lines = story.tell(incident, now=timezone.now()).lines
    event.refresh_from_db()
    assert next(line for line in lines if line.number == event.number).details == expected


def test_the_figures_count_the_mails_also_those_after_the_end(
    office: Client, incident: Incident, sending: Sending
) -> None:
    def mails() -> str:
        return dict(story.tell(incident, now=timezone.now()).impact)["mails to those concerned"]

    assert mails() == "0"
    sending.notifications.update(state="sent")
    assert mails() == "3"
    assert affected.figures(incident)["mails"] == 3
    resolved = sendings.resolve(incident=incident.pk, actor=PERSON, reason="mended")
    affected.refresh(resolved)
    Notification.objects.filter(sending__letter="all_clear").update(state="sent")
    incident.refresh_from_db()
    assert mails() == "6"
    exported = office.get(page(incident, "export")).content.decode()
    assert "| mails to those concerned | 6 |" in exported
    assert "## Words to people" in exported
    assert "| All clear | prepared | 3 | 3 sent | – |" in exported
    printed = text(office, page(incident, "print"))
    assert "Words to people" in printed
    assert "Look at it and release it" not in printed


# ---------------------------------------------------------------- the terminal


def terminal(*words: str) -> str:
    out = StringIO()
    call_command("rollback", "incident", *words, stdout=out)
    return out.getvalue()


def test_from_the_terminal(
    incident: Incident, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = terminal("sendings", str(incident.pk))
    assert f"{sending.pk}  held  Enrollment affected: 3 held back" in shown
    assert "in the middle of enrolling: 3 (English 1, German 2)" in shown
    number = str(sending.pk)
    with pytest.raises(CommandError, match="nobody is here to type it"):
        terminal("release", number)
    with pytest.raises(CommandError, match="it is 3 people, and “4” was typed"):
        terminal("release", number, "--people", "4")
    assert state(sending) == "held"
    assert "is going out to 3" in terminal("release", number, "--people", "3")
    assert "is paused" in terminal("pause", number)
    with pytest.raises(CommandError, match="“paused”: that cannot be done now"):
        terminal("pause", number)
    assert "goes on" in terminal("resume", number)
    asked: list[str] = []

    def typed(question: str) -> str:
        asked.append(question)
        return "3"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", typed)
    assert "is stopped" in terminal("stop", number)
    assert "Type how many people it is (3) to stop it:" in asked[0]
    assert state(sending) == "stopped"
    kind = IncidentEvent.Kind.MAILED
    said = incident.events.filter(kind=kind).order_by("number").values_list("payload", flat=True)
    assert [one["what"] for one in said] == ["prepared", "released", "paused", "resumed", "stopped"]


def test_written_from_the_terminal(incident: Incident, sending: Sending) -> None:
    number = str(incident.pk)
    told = terminal(
        "tell", number, "enrollment", "--to", "draft", "--news", "en=We know more.",
        "--news", "de=Wir wissen mehr.", "--next-news-at", "2035-01-01T10:00",
    )  # fmt: skip
    made = Sending.objects.latest("pk")
    assert f"To release it: manage.py rollback incident release {made.pk}" in told
    assert made.news == {"en": "We know more.", "de": "Wir wissen mehr."}
    assert made.reasons == ["draft"]
    for wrong, sentence in (
        (["--news", "xx=Oh."], "with one of en, de, es"),
        (["--news", "en"], "Write news as LANGUAGE=TEXT"),
        (["--next-news-at", "soon"], "Write a time as"),
        (["--next-news-at", "2020-99-01T10:00"], "Write a time as"),
        (["--next-news-at", "2020-01-01T10:00"], "has passed"),
        (["--to", "teacher"], "nobody to be told for these reasons"),
    ):
        with pytest.raises(CommandError, match=sentence):
            terminal("tell", number, "enrollment", *wrong)
    for command in (["tell", "0", "enrollment"], ["sendings", "0"], ["release", "0"]):
        with pytest.raises(CommandError, match="There is no"):
            terminal(*command)
    assert Sending.objects.count() == 2
    assert not mail.outbox
