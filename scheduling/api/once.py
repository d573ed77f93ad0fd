"""The header `Idempotency-Key`: a request that is sent twice is done once."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from enrollment.api import problems
from enrollment.api.described import header
from enrollment.api.problems import Problem
from scheduling.models.idempotency import LONGEST_KEY
from scheduling.operations import idempotency
from scheduling.operations.idempotency import Answer, KeyUsedOtherwise, StillBusy

HEADERS = [
    OpenApiParameter(
        "Idempotency-Key",
        {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
        OpenApiParameter.HEADER,
        description=(
            "Made up by you for each thing you want done, a UUID for instance. Sent again within 24 "
            "hours, with the same body, it is not done again: you get the same answer, a refusal too."
        ),
    ),
    header(
        "Idempotency-Replayed",
        {"type": "string", "enum": ["true"]},
        200,
        201,
        204,
        409,
        422,
        about="Nothing was done now; this was answered before.",
        required=False,
    ),
]


def answer(request: Request, act: Callable[[], Answer]) -> Response:
    """act: does it and says what is answered; a Problem that it raises is an answer, too."""

    def acted() -> Answer:
        try:
            return act()
        except Problem as problem:
            return Answer(status=problem.status_code, body=problems.of(problem, request.path))

    key = _key(request)
    given = acted() if key is None else _once(request, key, acted)
    return Response(
        given.body,
        status=given.status,
        headers={"Idempotency-Replayed": "true"} if given.replayed else {},
        content_type=problems.MEDIA_TYPE if given.status >= 400 else None,
    )


def _key(request: Request) -> str | None:
    key: str | None = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable() and " " not in key):
        raise Problem(
            status=400,
            code="bad-idempotency-key",
            detail=_("An Idempotency-Key has 1 to 255 printable ASCII characters and no blank."),
        )
    return key


def _once(request: Request, key: str, act: Callable[[], Answer]) -> Answer:
    user: Any = request.user
    mark = idempotency.fingerprint(
        method=str(request.method), path=request.path, body=request.data or {}
    )
    try:
        return idempotency.once(user=user, key=key, fingerprint=mark, now=timezone.now(), act=act)
    except KeyUsedOtherwise as error:
        raise Problem(
            status=422,
            code="key-used-otherwise",
            detail=_(
                "This Idempotency-Key came before, with another request. Use a new one for each."
            ),
        ) from error
    except StillBusy as error:
        raise Problem(
            status=409,
            code="still-busy",
            detail=_("The same request is being done right now. Please send it again soon."),
            headers={"Retry-After": "1"},
        ) from error
