"""What mail servers and their programs tell us. Behind no door; whoever tells has signed it."""

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
from rollback.outbox import bounces, programs

log = structlog.get_logger(__name__)

HEADER, TIMESTAMP = "X-Mail-Signature", "X-Timestamp"
# By this machine's clock, in seconds, before and after: who has overheard a call cannot repeat it for ever.
LATEST = 300
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
    signed: `X-Timestamp`, in seconds since 1970, and `X-Mail-Signature: sha256=` and the HMAC of that
    time, a dot and the body with MAIL_WEBHOOK_SECRET, in hexadecimal.
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
    at = request.headers.get(TIMESTAMP, "").strip()
    if not is_signed(at, body, request.headers.get(HEADER, "")):
        if _calls("unsigned", who, most=MOST_UNSIGNED) > MOST_UNSIGNED:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "Too many calls; come back in a minute.")
        log.warning("hooks.not_signed")
        raise Refused(HTTPStatus.FORBIDDEN, f"{HEADER} does not fit {TIMESTAMP} and the body.")
    if not _is_of_now(at):
        log.warning("hooks.not_of_now")
        words = (
            f"{TIMESTAMP} is more than {LATEST} seconds off: sign it anew when you send it again."
        )
        raise Refused(HTTPStatus.FORBIDDEN, words)
    return body


def is_signed(at: str, body: bytes, signature: str) -> bool:
    """In a time that says nothing of where they differ."""
    return hmac.compare_digest(signature_of(at, body).encode(), signature.strip().lower().encode())


def signature_of(at: str, body: bytes) -> str:
    """As our own calls are signed."""
    return programs.signature(settings.MAIL_WEBHOOK_SECRET, at, body)


def _is_of_now(at: str) -> bool:
    is_number = at.isascii() and at.isdigit() and len(at) <= 12
    return is_number and abs(time.time() - int(at)) <= LATEST


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
