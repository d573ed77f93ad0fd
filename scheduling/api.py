"""Free slots for programs."""

from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from scheduling.domain.clock import Period
from scheduling.queries.availability import free_slots, moment
from scheduling.queries.teaching import Teaching, teaching
from scheduling.serializers import SlotsAnswer, SlotsQuery


class TeacherSlots(APIView):
    @extend_schema(
        operation_id="teacher_slots",
        summary="Free slots of a teacher in the next four weeks",
        description=(
            "What can be booked now: weekly hours minus holidays, lessons and live holds, and minus "
            "what the asking student has already. Half-open periods, in order of time."
        ),
        parameters=[SlotsQuery],
        responses={
            200: SlotsAnswer,
            400: OpenApiResponse(description="The query is not understood; the body says where."),
            401: OpenApiResponse(description="Not logged in, and no token that is known."),
            404: OpenApiResponse(description="This teacher does not teach this course."),
            503: OpenApiResponse(description="Switched off; see Retry-After."),
        },
    )
    def get(self, request: Request, teacher: int) -> Response:
        query = SlotsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        slug = query.validated_data["course"]
        found = teaching(teacher_id=teacher, course=slug, user=request.user)
        if found is None:
            raise NotFound(
                _("No teacher %(id)s teaches “%(course)s”.") % {"id": teacher, "course": slug}
            )
        slots = free_slots(
            teacher=found.teacher,
            course=found.course,
            now=timezone.now(),
            student=found.student,
        )
        return Response(_answer(found, slots))


def _answer(found: Teaching, slots: list[Period]) -> dict[str, Any]:
    """Built by hand in the shape of SlotsAnswer: a serializer costs more than finding the slots."""
    zone = ZoneInfo(found.teacher.zone)
    return {
        "teacher": found.teacher.pk,
        "course": found.course.slug,
        "zone": found.teacher.zone,
        "slots": [
            {
                "start": f"{moment(start):%Y-%m-%dT%H:%M:%SZ}",
                "end": f"{moment(end):%Y-%m-%dT%H:%M:%SZ}",
                "local_start": moment(start).astimezone(zone).isoformat(),
            }
            for start, end in slots
        ],
    }
