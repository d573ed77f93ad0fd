"""Long lists in parts. The cursor is signed: what we have not made ourselves never meets the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import signing
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from enrollment.api.problems import Impossible
from enrollment.api.reading import Strict, Text, Whole

MOST, USUAL = 100, 50


class PageQuery(Strict):
    cursor = Text(
        required=False,
        max_length=400,
        help_text=gettext_lazy("Where a page begins; taken from `next` or `previous`."),
    )
    limit = Whole(
        of_text=True,
        required=False,
        max_value=MOST,
        help_text=gettext_lazy("How many at most; 50 if you do not say."),
    )


class PageAnswer(serializers.Serializer[Any]):
    next = serializers.URLField(
        allow_null=True, help_text=gettext_lazy("The page after this one, if there is one.")
    )
    previous = serializers.URLField(allow_null=True)


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Between two rows: behind the one with this value and key, or before it."""

    back: bool
    value: str
    pk: int

    def where(self, field: str) -> Q:
        side = "lt" if self.back else "gt"
        return Q(**{f"{field}__{side}": self.value}) | Q(
            **{field: self.value, f"pk__{side}": self.pk}
        )


@dataclass(frozen=True, kw_only=True)
class Pages:
    """A list in order of `field` and then of the key, so that equals stay apart.

    REST framework's own counts equals by their number, and skips some on the way back. name: a
    cursor of another list is none here.
    """

    name: str
    field: str

    def page(
        self, rows: QuerySet[Any], request: Request, asked: dict[str, Any]
    ) -> tuple[list[Any], dict[str, str | None]]:
        """asked: a validated PageQuery. :returns: the rows, and the links of a PageAnswer.

        :raises Impossible: the cursor is none of this list.
        """
        limit, cursor = asked.get("limit", USUAL), self._read(asked.get("cursor"))
        back = cursor is not None and cursor.back
        sign = "-" if back else ""
        found = rows.order_by(f"{sign}{self.field}", f"{sign}pk")
        if cursor is not None:
            found = found.filter(cursor.where(self.field))
        listed = list(found[: limit + 1])
        more, listed = len(listed) > limit, listed[:limit]
        if back:
            listed.reverse()
        return listed, self._links(listed, request, cursor=cursor, more=more)

    def _links(
        self, listed: Sequence[Any], request: Request, *, cursor: Cursor | None, more: bool
    ) -> dict[str, str | None]:
        back = cursor is not None and cursor.back
        return {
            "next": self._link(request, listed[-1:], back=False) if more or back else None,
            "previous": self._link(request, listed[:1], back=True)
            if (more if back else cursor)
            else None,
        }

    def _link(self, request: Request, rows: Sequence[Any], *, back: bool) -> str | None:
        """Nothing is behind an empty page; whoever has come to one begins anew."""
        for row in rows:
            value = getattr(row, self.field)
            text = value.isoformat() if isinstance(value, datetime) else str(value)
            cursor = signing.dumps([back, text, row.pk], salt=self._salt, compress=True)
            link: str = replace_query_param(request.build_absolute_uri(), "cursor", cursor)
            return link
        return None

    def _read(self, text: str | None) -> Cursor | None:
        if text is None:
            return None
        try:
            back, value, pk = signing.loads(text, salt=self._salt)
        except signing.BadSignature as error:
            words = _("This is no place in this list. Begin without a cursor.")
            raise Impossible({"cursor": [words]}, in_query=True) from error
        return Cursor(back=back, value=value, pk=pk)

    @property
    def _salt(self) -> str:
        return f"api.pages.{self.name}"
