"""manage.py rollback incident tell | sendings | release | pause | resume | stop: what people are written."""

import sys
from argparse import _SubParsersAction
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from rollback import affected, outbox, sendings
from rollback.audit import Actor, ChangeRefused
from rollback.console import sending_words
from rollback.domain.sendings import REASONS, TO_PEOPLE
from rollback.models import Incident, Notification, Sending

Ask = Callable[[str], str]


def add_arguments(steps: "_SubParsersAction[CommandParser]") -> None:
    tell = steps.add_parser("tell", help="prepare a letter to its people; nothing goes out yet")
    tell.add_argument("incident", type=int, metavar="ID")
    tell.add_argument("letter", choices=[key.value for key in TO_PEOPLE])
    tell.add_argument(
        "--to",
        action="append",
        choices=REASONS,
        dest="reasons",
        help="to those who are concerned for this reason, once for each; without it: for any",
    )
    tell.add_argument(
        "--news",
        action="append",
        default=[],
        metavar="LANGUAGE=TEXT",
        help="what is new, once for each language, as en=We have found the cause.",
    )
    tell.add_argument(
        "--next-news-at", metavar="TIME", help="as 2026-04-01T15:30, on the school's clock"
    )
    shown = steps.add_parser("sendings", help="what is prepared, going and done, with figures")
    shown.add_argument("incident", type=int, metavar="ID")
    for name, text in (
        ("release", "from now on it goes out"),
        ("pause", "nothing more goes out until it is resumed"),
        ("resume", "it goes on"),
        ("stop", "whoever has not got it does not get it any more"),
    ):
        step = steps.add_parser(name, help=text)
        step.add_argument("sending", type=int, metavar="SENDING")
        if name in ("release", "stop"):
            step.add_argument(
                "--people",
                type=int,
                metavar="NUMBER",
                help="how many it concerns, where nobody is there to type it",
            )


def answer(
    step: str, options: Mapping[str, Any], *, actor: Actor, ask: Ask | None = None
) -> list[str]:
    """:returns: lines. :raises ChangeRefused:"""
    if step == "tell":
        return _tell(options, actor)
    if step == "sendings":
        return _sendings(options)
    sending = _found(options["sending"])
    if step == "pause":
        outbox.pause(sending=sending.pk, actor=actor)
        return [f"Sending {sending.pk} is paused."]
    if step == "resume":
        outbox.resume(sending=sending.pk, actor=actor)
        return [f"Sending {sending.pk} goes on."]
    people = _confirmed(step, sending, options["people"], ask or _at_the_terminal)
    if step == "release":
        outbox.release(sending=sending.pk, actor=actor, people=people)
        return [f"Sending {sending.pk} is going out to {people}."]
    outbox.stop(sending=sending.pk, actor=actor)
    return [f"Sending {sending.pk} is stopped."]


def _tell(options: Mapping[str, Any], actor: Actor) -> list[str]:
    incident = _incident(options["incident"])
    if not affected.is_frozen(incident):
        raise ChangeRefused("Whom it concerns is not counted yet. Wait for the next tick.")
    newest = sendings.of(incident).first()
    made = sendings.write(
        incident=incident,
        letter=options["letter"],
        actor=actor,
        reasons=options["reasons"] or list(REASONS),
        seen=newest.pk if newest else 0,
        news=_news(options["news"]),
        next_news_at=_moment(options["next_news_at"]),
    )
    return [*_lines(made), f"To release it: manage.py rollback incident release {made.pk}"]


def _news(given: list[str]) -> dict[str, str]:
    known = [code for code, _name in settings.LANGUAGES]
    found = {}
    for one in given:
        code, equals, text = one.partition("=")
        if code not in known or not equals or not text.strip():
            raise ChangeRefused(
                f"Write news as LANGUAGE=TEXT, with one of {', '.join(known)}: “{one}” is not."
            )
        found[code] = text.strip()
    return found


def _moment(given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        at = parse_datetime(given)
    except ValueError:
        at = None
    if at is None:
        raise ChangeRefused(f"Write a time as 2026-04-01T15:30: “{given}” is none.")
    at = timezone.make_aware(at) if timezone.is_naive(at) else at
    if at <= timezone.now():
        raise ChangeRefused(f"{given} has passed: give a later time.")
    return at


def _sendings(options: Mapping[str, Any]) -> list[str]:
    found = list(sendings.of(_incident(options["incident"])))
    lines = [line for one in found for line in _lines(one)]
    return lines or ["Nobody was written to about it."]


def _lines(sending: Sending) -> list[str]:
    """One sending, and before it goes out to how many, by reason and language."""
    one = sending_words.shown_one(sending)
    lines = [f"{sending.pk}  {sending.state}  {one.title}: {', '.join(one.figures) or 'nobody'}"]
    if sending.state == Sending.State.HELD and one.grid:
        for words, numbers, together in one.grid.rows:
            pairs = zip(one.grid.languages, numbers, strict=True)
            several = ", ".join(f"{language} {number}" for language, number in pairs)
            lines.append(f"     {words}: {together} ({several})")
    return lines


def _confirmed(step: str, sending: Sending, given: int | None, ask: Ask) -> int:
    """:raises ChangeRefused: unless the number of people was typed"""
    states = (Notification.State.HELD, Notification.State.WAITING)
    held = sending.notifications.filter(state__in=states).count()
    question = "\n".join([*_lines(sending), f"Type how many people it is ({held}) to {step} it: "])
    typed = str(given) if given is not None else ask(question).strip()
    if typed != str(held):
        raise ChangeRefused(f"Nothing was done: it is {held} people, and “{typed}” was typed.")
    return held


def _at_the_terminal(question: str) -> str:
    if not sys.stdin.isatty():
        raise ChangeRefused(
            "It is confirmed by typing how many people it concerns, and nobody is here to type it. "
            "Give it with --people NUMBER."
        )
    return input(question)


def _incident(number: int) -> Incident:
    found = Incident.objects.filter(pk=number).first()
    if found is None:
        raise ChangeRefused(f"There is no incident {number}. See manage.py rollback incident list.")
    return found


def _found(number: int) -> Sending:
    """Also of what goes to the staff, which `outbox hold` may have paused."""
    found = Sending.objects.filter(pk=number).first()
    if found is None:
        raise ChangeRefused(
            f"There is no sending {number}. See manage.py rollback incident sendings ID."
        )
    return found
