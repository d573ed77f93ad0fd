from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from enrollment.admin.fields import CLASSES
from enrollment.admin.lesson_form import TeacherHere
from enrollment.models import Teacher
from scheduling.admin.one_at_a_time import OneAtATime
from scheduling.forms.time_off import TIMES, TimeOffTimes
from scheduling.models import TimeOff


class OfficeTimeOffForm(TeacherHere, TimeOffTimes):
    """Of any teacher, on that teacher's clock."""

    class Meta:
        model = TimeOff
        fields = ("teacher", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Who may only look has none of them.
        for name in set(TIMES) & set(self.fields):
            self.fields[name].widget.attrs["class"] = CLASSES
        if "from_on" in self.fields:
            self.fields["from_on"].help_text = gettext("All of it on the teacher's clock.")

    def teacher_of_it(self) -> Teacher | None:
        return self.cleaned_data.get("teacher")

    def moment(self) -> datetime:
        return timezone.now()


@admin.register(TimeOff)
class TimeOffAdmin(OneAtATime):
    form = OfficeTimeOffForm
    list_display = ("teacher", "begins", "ends", "reason")
    list_display_links = ("teacher", "begins")
    list_filter = (("teacher", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("teacher",)
    list_per_page = 50
    search_fields = ("teacher__display_name", "teacher__user__email", "reason")
    autocomplete_fields = ("teacher",)
    ordering = ("-period", "pk")
    fields = ("teacher", ("from_on", "from_at"), ("until_on", "until_at"), "reason")

    @admin.display(description=_("from"), ordering="period")
    def begins(self, one: TimeOff) -> str:
        return _on_their_clock(one.starts_at, one.teacher)

    @admin.display(description=_("until"))
    def ends(self, one: TimeOff) -> str:
        return _on_their_clock(one.ends_at, one.teacher)


def _on_their_clock(at: datetime, teacher: Teacher) -> str:
    local = timezone.localtime(at, ZoneInfo(teacher.zone))
    return f"{date_format(local, 'DATETIME_FORMAT')} ({teacher.zone})"
