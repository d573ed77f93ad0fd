"""What programs read: teachers, free slots, why there are none, lessons."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from enrollment.api.described import answers, header
from enrollment.api.pages import PageQuery, Pages
from enrollment.api.reading import query
from enrollment.api.views import ApiView
from enrollment.queries.people import zone_of
from scheduling.api.etags import answered
from scheduling.domain.clock import Period
from scheduling.queries import lessons as queries
from scheduling.queries.availability import free_slots
from scheduling.queries.many import who_is_free
from scheduling.queries.reasons import reasons
from scheduling.queries.teaching import Teaching, is_course, teachers, teaching, who_teaches
from scheduling.serializers import answered as shapes
from scheduling.serializers import asked as asking

TEACHERS = Pages(name="teachers", field="display_name")
LESSONS = Pages(name="lessons", field="starts")
SAME = OpenApiResponse(description="As you have it: what If-None-Match names.")
ETAG = [
    OpenApiParameter(
        "If-None-Match",
        str,
        OpenApiParameter.HEADER,
        description="The ETag of an answer that you have.",
    ),
    header("ETag", str, 200, 304, about="Changes with the answer."),
]


class Teachers(ApiView):
    @extend_schema(
        operation_id="teachers",
        summary="Who teaches what",
        description="By name, in pages. Whoever is here can be asked for free slots.",
        parameters=[PageQuery],
        responses=answers({200: shapes.TeacherPage}, 422),
    )
    def get(self, request: Request) -> Response:
        asked = query(PageQuery, request)
        found, links = TEACHERS.page(teachers(), request, asked)
        return Response({**links, "results": [shapes.teacher(one) for one in found]})


class TeacherSlots(ApiView):
    @extend_schema(
        operation_id="teacher_slots",
        summary="Free slots of a teacher, as far ahead as can be booked",
        description=(
            "What can be booked now: weekly hours minus holidays, time off, lessons and live holds, "
            "and minus what the asking student has already. Half-open periods, in order of time."
        ),
        parameters=[asking.SlotsOfTeacherQuery, *ETAG],
        responses=answers({200: shapes.SlotsOfTeacherAnswer, 304: SAME}, 404),
    )
    def get(self, request: Request, teacher: int) -> HttpResponse:
        asked = query(asking.SlotsOfTeacherQuery, request)
        found = _teaching(request, asked["course"], teacher)
        slots = free_slots(
            teacher=found.teacher,
            course=found.course,
            now=timezone.now(),
            student=found.student,
        )
        zone = ZoneInfo(found.teacher.zone)
        body = {
            "teacher": found.teacher.pk,
            "course": found.course.slug,
            "zone": found.teacher.zone,
            "slots": [shapes.slot(period, zone) for period in slots],
        }
        return answered(request, body)


class Slots(ApiView):
    @extend_schema(
        operation_id="slots",
        summary="Free slots of one teacher, or of everybody who teaches a course",
        description=(
            "What can be booked now and begins in [from, to). In order of time; at the same time in "
            "order of the teachers' names."
        ),
        parameters=[asking.SlotsQuery, *ETAG],
        responses=answers({200: shapes.SlotsAnswer, 304: SAME}, 404, 422),
    )
    def get(self, request: Request) -> HttpResponse:
        asked, now = query(asking.SlotsQuery, request), timezone.now()
        found = _teachings(request, asked)
        zone = asked.get("zone") or _zone(request, found, asked)
        since, until = asking.span(asked, zone=zone, now=now)
        free = _free(found, since=since, until=until, now=now)
        slots = [(period, one.teacher.pk) for one in found for period in free[one.teacher.pk]]
        slots.sort(key=lambda slot: slot[0])
        body = {
            "course": asked["course"],
            "zone": zone.key,
            "since": shapes.utc(since),
            "until": shapes.utc(until),
            "slots": [
                {**shapes.slot(period, zone), "teacher": teacher} for period, teacher in slots
            ],
        }
        return answered(request, body)


class Reasons(ApiView):
    @extend_schema(
        operation_id="reasons",
        summary="Why there is nothing free",
        description=(
            "Each date of the teacher's calendar, and each slot of their hours that is not offered, "
            "with the reason: fully for the teacher and the office. Others learn what is theirs to "
            "know: never who else, and never why somebody is away."
        ),
        parameters=[asking.ReasonsQuery],
        responses=answers({200: shapes.ReasonsAnswer}, 404, 422),
    )
    def get(self, request: Request) -> Response:
        asked, now = query(asking.ReasonsQuery, request), timezone.now()
        found = _teaching(request, asked["course"], asked["teacher"])
        today = now.astimezone(ZoneInfo(found.teacher.zone)).date()
        first, last = asking.days(asked, today=today)
        told = reasons(teaching=found, user=request.user, first=first, last=last, now=now)
        return Response(shapes.reasons(told))


class Lessons(ApiView):
    @extend_schema(
        operation_id="lessons",
        summary="Your lessons, taken or given",
        description="In order of time, in pages. The office sees everybody's.",
        parameters=[asking.LessonsQuery],
        responses=answers({200: shapes.LessonPage}, 422),
    )
    def get(self, request: Request) -> Response:
        asked = query(asking.LessonsQuery, request)
        since, until = asking.open_span(asked, zone=ZoneInfo(zone_of(request.user)))
        found = queries.between(queries.lessons_for(user=request.user), since=since, until=until)
        if "status" in asked:
            found = found.filter(status=asked["status"])
        rows, links = LESSONS.page(found, request, asked)
        return Response({**links, "results": [shapes.lesson(one) for one in rows]})


def _teaching(request: Request, course: str, teacher: int) -> Teaching:
    """:raises NotFound:"""
    found = teaching(teacher_id=teacher, course=course, user=request.user)
    if found is None:
        raise NotFound(
            _("No teacher %(id)s teaches “%(course)s”.") % {"id": teacher, "course": course}
        )
    return found


def _teachings(request: Request, asked: dict[str, Any]) -> list[Teaching]:
    """:raises NotFound:"""
    course = asked["course"]
    if "teacher" in asked:
        return [_teaching(request, course, asked["teacher"])]
    found = who_teaches(course=course, user=request.user)
    if not found and not is_course(slug=course):
        raise NotFound(_("There is no course “%(course)s”.") % {"course": course})
    return found


def _free(
    found: list[Teaching], *, since: datetime, until: datetime, now: datetime
) -> dict[int, list[Period]]:
    """By teacher: one by a sweep, several by bitmaps, each in two queries."""
    if not found:
        return {}
    course, student = found[0].course, found[0].student
    teachers = [one.teacher for one in found]
    asked: dict[str, Any] = {
        "course": course,
        "student": student,
        "now": now,
        "since": since,
        "until": until,
    }
    if len(teachers) == 1:
        return {teachers[0].pk: free_slots(teacher=teachers[0], **asked)}
    return who_is_free(teachers=teachers, **asked)


def _zone(request: Request, found: list[Teaching], asked: dict[str, Any]) -> ZoneInfo:
    if found and found[0].student is not None:
        return ZoneInfo(found[0].student.zone)
    if "teacher" in asked:
        return ZoneInfo(found[0].teacher.zone)
    return ZoneInfo(zone_of(request.user))
