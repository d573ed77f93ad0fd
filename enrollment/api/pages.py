"""Long lists in parts. The cursor is signed: what we have not made ourselves never meets the database."""

from typing import Any

from django.core import signing
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from enrollment.api.problems import BadQuery
from enrollment.api.reading import Strict, Text, Whole

MOST = 100


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


class Pages(CursorPagination):
    page_size = 50
    max_page_size = MOST
    page_size_query_param = "limit"

    def __init__(self, *, name: str, ordering: tuple[str, ...]) -> None:
        """name: a cursor of another list is none here. ordering: the last one tells equals apart."""
        self.name, self.ordering = name, ordering

    def decode_cursor(self, request: Request) -> Cursor | None:
        text = request.query_params.get(self.cursor_query_param)
        if text is None:
            return None
        try:
            offset, reverse, position = signing.loads(text, salt=self._salt)
        except signing.BadSignature as error:
            words = _("This is no place in this list. Begin without a cursor.")
            raise BadQuery({"cursor": [words]}) from error
        return Cursor(offset=offset, reverse=reverse, position=position)

    def encode_cursor(self, cursor: Cursor) -> str:
        text = signing.dumps([cursor.offset, cursor.reverse, cursor.position], salt=self._salt)
        link: str = replace_query_param(self.base_url, self.cursor_query_param, text)
        return link

    def answer(self, results: list[Any]) -> dict[str, Any]:
        return {
            "next": self.get_next_link(),
            "previous": self.get_previous_link(),
            "results": results,
        }

    @property
    def _salt(self) -> str:
        return f"api.pages.{self.name}"


class PageAnswer(serializers.Serializer[Any]):
    next = serializers.URLField(
        allow_null=True, help_text=gettext_lazy("The page after this one, if there is one.")
    )
    previous = serializers.URLField(allow_null=True)
