"""What mail servers and their programs tell us. Behind no door; whoever tells has signed it."""

import hashlib
import hmac
import json
import time
from http import HTTPStatus
from typing import Any

import structlog
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from enrollment.api.throttling import Nobody, counts
from rollback.outbox import bounces

log = structlog.get_logger(__name__)

HEADER = "X-Mail-Signature"
PREFIX = "sha256="
MOST_BYTES = 256 * 1024
MOST_EVENTS = 1000
# A minute, from one address; of the wrongly signed ones far fewer are even looked at.
MOST_CALLS, MOST_UNSIGNED = 600, 30


class Refused(Exception):
    """status: of the answer; the message is its words."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


@csrf_exempt
@never_cache
@require_POST
def mail(request: HttpRequest) -> HttpResponse:
    """`{"event": "bounced" | "complained", "message_id": …, "email": …, "reason": …}`, or a list of them,
    signed: `X-Mail-Signature: sha256=` and the HMAC of the body with MAIL_WEBHOOK_SECRET, in hexadecimal.
    """
    if not settings.MAIL_WEBHOOK_SECRET:
        raise Http404
    try:
        events = _events(_signed_body(request))
    except Refused as refused:
        return JsonResponse({"error": str(refused)}, status=refused.status)
    known = [bounces.note(event) for event in events if event is not None]
    answer = {"noted": sum(known), "unknown": len(known) - sum(known)}
    return JsonResponse({**answer, "ignored": len(events) - len(known)})


def _signed_body(request: HttpRequest) -> bytes:
    """:raises Refused:"""
    who = Nobody().get_ident(request)  # type: ignore[arg-type]
    if _calls("all", who, most=MOST_CALLS) > MOST_CALLS:
        raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "Too many calls; come back in a minute.")
    # As many bytes as it is allowed, whatever it says of its length.
    body = request.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        words = f"More than {MOST_BYTES} bytes; send fewer events at once."
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
    if not is_signed(body, request.headers.get(HEADER, "")):
        if _calls("unsigned", who, most=MOST_UNSIGNED) > MOST_UNSIGNED:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "Too many calls; come back in a minute.")
        log.warning("hooks.not_signed")
        raise Refused(HTTPStatus.FORBIDDEN, f"{HEADER} does not fit the body.")
    return body


def is_signed(body: bytes, signature: str) -> bool:
    """In a time that says nothing of where they differ."""
    return hmac.compare_digest(signature_of(body).encode(), signature.strip().lower().encode())


def signature_of(body: bytes) -> str:
    key = settings.MAIL_WEBHOOK_SECRET.encode()
    return PREFIX + hmac.new(key, body, hashlib.sha256).hexdigest()


def _events(body: bytes) -> list[bounces.Event | None]:
    """All of them can be read, or none is taken. :raises Refused:"""
    try:
        told: Any = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"This is no JSON: {error}") from error
    events = told if isinstance(told, list) else [told]
    if len(events) > MOST_EVENTS:
        words = f"More than {MOST_EVENTS} events at once."
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
    found = []
    for number, event in enumerate(events, start=1):
        try:
            found.append(bounces.event_of(event))
        except bounces.NotAnEvent as error:
            raise Refused(HTTPStatus.BAD_REQUEST, f"Event {number}: {error}") from error
    return found


def _calls(kind: str, who: str, *, most: int) -> int:
    now = time.time()
    window = int(now // 60)
    ends = float((window + 1) * 60)
    return counts.one_more(
        f"hook-{kind}-{who}-{window}", step=max(1, most // 10), ends=ends, now=now
    )
