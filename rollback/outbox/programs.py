"""What goes to a program instead of to a person: a page, to Slack, to PagerDuty, or signed to anything.

Slack: an incoming webhook, `text` for notifications and `blocks` for the message. PagerDuty: Events API v2.
Anything else: JSON, with `X-Signature: sha256=HMAC(key, timestamp + "." + body)`, `X-Timestamp`, and
`Idempotency-Key`, which stays the same when it is sent again.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from rollback.models import Channel, Notification, Page
from rollback.outbox import outward
from rollback.outbox.message import NotNeeded

# By severity, 1 is the worst; as PagerDuty calls them.
SEVERITIES = {1: "critical", 2: "error", 3: "warning", 4: "info"}
# It may take it later: everything else from 400 to 499 says that it never will.
LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
SHOWN = 200
Facts = Mapping[str, Any]


class ProgramRefused(ValueError):
    """It does not take it, and will not take it when it is sent again."""


def post(row: Notification) -> None:
    """:raises OSError: it may take it later :raises ProgramRefused: :raises NotNeeded:"""
    if row.channel is None:
        raise ProgramRefused("The channel is gone.")
    if not row.channel.is_active:
        raise NotNeeded("The channel is not in use any more.")
    # Late, it would open again there what has been closed.
    if row.values["event"] == "trigger" and not _waits(row.values["page"]):
        raise NotNeeded("Somebody is at it by now, or it is over.")
    deliver(row.channel, row.values, key=f"{row.sending_id}.{row.pk}")


def deliver(channel: Channel, facts: Facts, *, key: str) -> None:
    """key: the same each time the same thing is sent. :raises OSError: :raises ProgramRefused:"""
    body = json.dumps(PAYLOADS[channel.kind](channel, facts, key), ensure_ascii=False).encode()
    try:
        answer = outward.ask(channel.url, body=body, headers=_headers(channel, body, key))
    except outward.AddressRefused as refused:
        raise ProgramRefused(str(refused)) from refused
    except OSError as error:
        # An error's own words may hold the address, which is a key with some.
        raise ConnectionError(_trouble(error)) from None
    _check(answer, secret=channel.secret)


def _waits(page: int) -> bool:
    return Page.objects.filter(pk=page, acknowledged_at=None, closed_at=None).exists()


def _trouble(error: OSError) -> str:
    words = type(error).__name__
    return f"{words}: {error.strerror}" if error.strerror else words


def _check(answer: outward.Answer, *, secret: str) -> None:
    if 200 <= answer.status < 300:
        return
    said = " ".join(answer.text.split())[:SHOWN]
    said = said.replace(secret, "…") if secret else said
    words = f"It answered {answer.status}: {said}" if said else f"It answered {answer.status}."
    if answer.status >= 500 or answer.status in LATER:
        raise ConnectionError(words)
    if 300 <= answer.status < 400:
        words = (
            f"It answered {answer.status} and leads elsewhere; enter the address that it leads to."
        )
    raise ProgramRefused(words)


def _headers(channel: Channel, body: bytes, key: str) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "school-on-call",
        "Idempotency-Key": key,
    }
    if channel.kind != Channel.Kind.GENERIC:
        return headers
    at = str(int(time.time()))
    return headers | {"X-Timestamp": at, "X-Signature": signature(channel.secret, at, body)}


def signature(secret: str, at: str, body: bytes) -> str:
    signed = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


# ---------------------------------------------------------------- as each of them wants it


def _slack(channel: Channel, facts: Facts, key: str) -> dict[str, Any]:
    with translation.override(settings.LANGUAGE_CODE):
        first = _headline(facts)
        lines = [f"*{_escaped(first)}*", *map(_escaped, _lines(facts))]
        link = _("Open in the console")
        lines.append(f"<{facts['link']}|{_escaped(link)}>")
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(lines)[:2900]}}
    return {"text": _escaped(first)[:1000], "blocks": [block]}


def _escaped(text: str) -> str:
    """`<!channel>` would else call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _headline(facts: Facts) -> str:
    words = {
        "trigger": _("On call: %(title)s"),
        "acknowledge": _("Somebody is at it: %(title)s"),
        "resolve": _("Over: %(title)s"),
    }
    return words[facts["event"]] % {"title": facts["title"]}


def _lines(facts: Facts) -> list[str]:
    if facts["event"] != "trigger":
        return []
    lines = [_("Severity %(severity)s, since %(since)s") % facts]
    lines += [facts["feature"]] if facts["feature"] else []
    return lines + ([_("Called: %(called)s") % facts] if facts["called"] else [])


def _pagerduty(channel: Channel, facts: Facts, key: str) -> dict[str, Any]:
    event = {
        "routing_key": channel.secret,
        "event_action": facts["event"],
        "dedup_key": facts["key"],
    }
    if facts["event"] != "trigger":
        return event
    links = [{"href": facts["link"], "text": "Console"}]
    links += [{"href": facts["runbook"], "text": "Runbook"}] if facts["runbook"] else []
    payload = {
        "summary": facts["title"][:1024],
        "source": facts["school"],
        "severity": SEVERITIES[facts["severity"]],
        "timestamp": facts["since"],
        "component": facts["feature"],
        "class": facts["kind"],
        "custom_details": {"incident": facts["incident"], "called": facts["called"]},
    }
    return {**event, "payload": payload, "links": links, "client": facts["school"]}


def _generic(channel: Channel, facts: Facts, key: str) -> dict[str, Any]:
    return {"id": key, **facts}


PAYLOADS: Mapping[str, Callable[[Channel, Facts, str], dict[str, Any]]] = {
    Channel.Kind.SLACK: _slack,
    Channel.Kind.PAGERDUTY: _pagerduty,
    Channel.Kind.GENERIC: _generic,
}
