"""What is wrong with being on call, in sentences for the console, the roster and the terminal."""

from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from rollback.domain import oncall
from rollback.models import Page
from rollback.oncall import roster


def sentences(*, now: datetime, within: timedelta = roster.SOON) -> list[str]:
    return [*_of_roster(now, within), *_of_silence(), *_of_test(now)]


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


def _of_silence() -> list[str]:
    if Page.objects.filter(kind=Page.Kind.SILENT, closed_at=None).exists():
        return [_("The watch has been silent, and somebody was called about it.")]
    return []


def _of_test(now: datetime) -> list[str]:
    test = Page.objects.filter(kind=Page.Kind.TEST).order_by("-opened_at").first()
    if test is None or test.acknowledged_at or test.opened_at > now - oncall.TEST_PATIENCE:
        return []
    words = _("Nobody has acknowledged the test page of %(at)s: would a real one have arrived?")
    return [words % {"at": _moment(test.opened_at)}]


def _moment(at: datetime) -> str:
    return date_format(localtime(at), "SHORT_DATETIME_FORMAT")
