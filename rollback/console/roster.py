"""The roster in the admin: four weeks at a glance, shifts, and handing one over."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.timezone import get_default_timezone_name, localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action

from rollback.audit import ChangeRefused
from rollback.console.roster_forms import HandOverForm, ShiftForm
from rollback.domain import oncall
from rollback.domain.oncall import Piece, Shift
from rollback.models import OnCallShift
from rollback.oncall import roster, warnings
from rollback.oncall.policy import clock

DAYS = 28
ASK = "admin/rollback/change_flag.html"


@admin.register(OnCallShift)
class OnCallShiftAdmin(ModelAdmin):
    form = ShiftForm
    list_display = ("user", "level", "starts_at", "ends_at")
    list_filter = ("level",)
    list_select_related = ("user",)
    search_fields = ("user__first_name", "user__last_name", "user__email")
    ordering = ("-starts_at", "level")
    list_before_template = "admin/rollback/oncall/roster.html"
    actions_detail = ("hand_over",)

    class Media:
        css = {"all": ("rollback/roster.css",)}

    def has_hand_over_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whoever keeps the roster; and each their own."""
        if self.has_change_permission(request):
            return True
        row = OnCallShift.objects.filter(pk=object_id).first() if object_id else None
        return row is not None and row.user_id == request.user.pk

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        row: OnCallShift | None = self.get_object(request, object_id)
        if row is None or not roster.as_shift(row).covers(clock()):
            return []
        found: list[Any] = super().get_actions_detail(request, object_id)
        return found

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), **_calendar(clock(), today=localtime().date())}
        page: HttpResponse = super().changelist_view(request, context)
        return page

    @action(
        description=gettext_lazy("Hand over from now on"),
        url_path="hand-over",
        permissions=["hand_over"],
        icon="swap_horiz",
    )
    def hand_over(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row: OnCallShift | None = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_hand_over_permission(request, object_id):
            raise PermissionDenied
        form = HandOverForm(request.POST if request.method == "POST" else None, but=row.user)
        if request.method == "POST" and form.is_valid() and self._hand_over(request, row, form):
            return HttpResponseRedirect(reverse("admin:rollback_oncallshift_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Hand over: %(name)s, number %(level)s")
            % {"name": row.user, "level": row.level},
            "consequence": _(
                "This shift ends now, and theirs begins at the same moment and lasts as long as this one "
                "would have. They get a mail with what is open."
            ),
            "button_text": _("Hand over"),
            "form": form,
            "back": reverse("admin:rollback_oncallshift_changelist"),
        }
        return TemplateResponse(request, ASK, context)

    def _hand_over(self, request: HttpRequest, row: OnCallShift, form: HandOverForm) -> bool:
        to = form.cleaned_data["to"]
        try:
            new = roster.hand_over(shift=row.pk, to=to, now=clock())
        except ChangeRefused as refused:
            form.add_error("to", str(refused))
            return False
        self.log_change(request, row, "Handed over.")
        self.log_addition(request, new, "Taken over.")
        self.message_user(
            request, _("%(name)s is called from now on.") % {"name": to}, messages.SUCCESS
        )
        return True


def _calendar(now: datetime, *, today: date) -> dict[str, Any]:
    zone = ZoneInfo(get_default_timezone_name())
    days = oncall.days(first=today, count=DAYS, zone=zone)
    shifts = roster.shifts_between(days[0][1][0], days[-1][1][1])
    levels = sorted({1, *(one.level for one in shifts)})
    return {
        "zone": zone.key,
        "warnings": warnings.found(now=now),
        "levels": levels,
        "weeks": _weeks([_day(day, span, shifts, levels, now) for day, span in days]),
        "today": today,
    }


def _weeks(days: Sequence[Mapping[str, Any]]) -> list[Sequence[Mapping[str, Any]]]:
    return [days[start : start + 7] for start in range(0, len(days), 7)]


def _day(
    day: date, span: oncall.Span, shifts: Sequence[Shift], levels: Sequence[int], now: datetime
) -> dict[str, Any]:
    starts, ends = span
    cells = [
        (
            level,
            [
                _piece(one, span)
                for one in oncall.pieces(
                    [shift for shift in shifts if shift.level == level], start=starts, end=ends
                )
            ],
        )
        for level in levels
    ]
    # What is over by now is nobody's mistake any more.
    open_from = min(max(starts, now), ends)
    gaps = oncall.gaps(shifts, start=open_from, end=ends) if open_from < ends else []
    return {"on": day, "cells": cells, "has_gap": any(b - a > timedelta() for a, b in gaps)}


def _piece(piece: Piece, day: oncall.Span) -> dict[str, Any]:
    is_whole = (piece.starts_at, piece.ends_at) == day
    return {
        "name": piece.shift.name if piece.shift else "",
        "from": "" if is_whole else f"{localtime(piece.starts_at):%H:%M}",
        "until": "" if is_whole else _until(piece.ends_at, day),
    }


def _until(at: datetime, day: oncall.Span) -> str:
    return "24:00" if at == day[1] else f"{localtime(at):%H:%M}"
