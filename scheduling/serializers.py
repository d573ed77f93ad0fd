from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers


class SlotsQuery(serializers.Serializer[dict[str, Any]]):
    course = serializers.SlugField(
        max_length=80,
        help_text=_("The course's address name; its lesson length is the slots' length."),
        error_messages={"required": _("Name the course, like ?course=violin-for-beginners.")},
    )


class SlotAnswer(serializers.Serializer[dict[str, datetime]]):
    start = serializers.DateTimeField(help_text=_("UTC."))
    end = serializers.DateTimeField(help_text=_("UTC; the slot is over then."))
    local_start = serializers.CharField(help_text=_("On the teacher's clock, with its offset."))


class SlotsAnswer(serializers.Serializer[dict[str, Any]]):
    teacher = serializers.IntegerField()
    course = serializers.SlugField()
    zone = serializers.CharField(help_text=_("The teacher's time zone, an IANA name."))
    slots = SlotAnswer(many=True)
