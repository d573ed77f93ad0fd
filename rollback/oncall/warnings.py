"""What is wrong with being on call, in sentences for the console, the roster and the terminal."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from rollback.domain import oncall
from rollback.models import Page
from rollback.oncall import roster


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """page: name of the admin's list where something can be done about it."""

    words: str
    page: str


def found(*, now: datetime, within: timedelta = roster.SOON) -> list[Alarm]:
    shifts, pages = "admin:rollback_oncallshift_changelist", "admin:rollback_page_changelist"
    deaf = "admin:rollback_deafaddress_changelist"
    return [
        *(Alarm(words=words, page=shifts) for words in _of_roster(now, within)),
        *(Alarm(words=words, page=deaf) for words in _of_addresses(now, within)),
        *(Alarm(words=words, page=pages) for words in _of_pages(now)),
    ]


def _of_roster(now: datetime, within: timedelta) -> list[str]:
    gaps = roster.gaps(now=now, within=within)
    if not gaps:
        return []
    starts, ends = gaps[0]
    if starts > now:
        told = {"from": _moment(starts), "until": _moment(ends)}
        if ends >= now + within:
            return [_("Nobody is on call from %(from)s on.") % told]
        return [_("Nobody is on call from %(from)s to %(until)s.") % told]
    if ends >= now + within:
        return [
            _(
                "Nobody is on call. What needs somebody goes to everybody who may switch features off."
            )
        ]
    return [_("Nobody is on call until %(until)s.") % {"until": _moment(ends)}]


def _of_addresses(now: datetime, within: timedelta) -> Iterator[str]:
    if people := roster.unreached(now=now, within=within):
        words = _(
            "On call with an address that no mail reaches: %(names)s. Correct it, or delete it from "
            "that list."
        )
        yield words % {"names": roster.names(people)}


def _of_pages(now: datetime) -> Iterator[str]:
    """One query: the newest test, and the silence that lasts."""
    silent = Q(kind=Page.Kind.SILENT, closed_at=None)
    newest = Page.objects.filter(silent | Q(kind=Page.Kind.TEST)).order_by("kind", "-opened_at")
    for page in newest.distinct("kind"):
        if page.kind == Page.Kind.SILENT:
            yield _("The watch has been silent, and somebody was called about it.")
        elif not page.acknowledged_at and page.opened_at <= now - oncall.TEST_PATIENCE:
            words = _(
                "Nobody has acknowledged the test page of %(at)s: would a real one have arrived?"
            )
            yield words % {"at": _moment(page.opened_at)}


def _moment(at: datetime) -> str:
    return date_format(localtime(at), "SHORT_DATETIME_FORMAT")
