"""Booking, moving and cancelling lessons."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from enrollment.api.described import answers, header
from enrollment.api.problems import Impossible
from enrollment.api.reading import said
from enrollment.api.views import ApiView
from enrollment.models import Lesson, Student, Teacher, User
from enrollment.queries.people import student_of, zone_of
from scheduling.api import once
from scheduling.api.refusals import CONFLICT, REFUSED, TAKEN, UNPROCESSABLE, refused, taken
from scheduling.operations import booking as operations
from scheduling.operations import program
from scheduling.operations.idempotency import Answer
from scheduling.queries.deadlines import deadlines_of
from scheduling.queries.lessons import lessons_for
from scheduling.queries.teaching import Teaching, teaching
from scheduling.serializers import answered as shapes
from scheduling.serializers.asked import BookingQuery, CancelQuery, MoveQuery

REFUSALS: dict[str, Any] = {"s409": CONFLICT, "s422": UNPROCESSABLE}


class Bookings(ApiView):
    throttle_scope = "bookings"

    @extend_schema(
        operation_id="book",
        summary="Book a lesson",
        description=(
            "For students. Who is enrolled in the course gets one more lesson of it; who is not is "
            "enrolled, and this is the first lesson. Only what `slots` offers can be booked."
        ),
        request=BookingQuery,
        parameters=[*once.HEADERS, header("Location", str, 201, about="Of the booking.")],
        responses=answers({201: shapes.BookingAnswer}, with_body=True, **REFUSALS),
    )
    def post(self, request: Request) -> Response:
        student = _student(request)
        asked = said(BookingQuery(data=request.data))
        found = _teaching(request, asked)
        response = once.answer(request, lambda: _book(request, student, found, asked))
        if response.status_code == 201:
            where = reverse("availability-api:booking", args=[response.data["id"]], request=request)
            response.headers["Location"] = where
        return response


class Booking(ApiView):
    throttle_scope = "bookings"

    @extend_schema(
        operation_id="booking",
        summary="One of your lessons, and until when it can be changed",
        responses=answers({200: shapes.BookingAnswer}, 404),
    )
    def get(self, request: Request, booking: int) -> Response:
        return Response(_shape(_lesson(request, booking)))

    @extend_schema(
        operation_id="delete_booking",
        summary="Cancel a lesson",
        description="The same as `cancel`, without a reason.",
        parameters=once.HEADERS,
        responses=answers({204: OpenApiResponse(description="It is cancelled.")}, 404, **REFUSALS),
    )
    def delete(self, request: Request, booking: int) -> Response:
        lesson = _lesson(request, booking)

        def act() -> Answer:
            _cancel(request, lesson, reason="")
            return Answer(status=204, body=None)

        return once.answer(request, act)


class MoveBooking(ApiView):
    throttle_scope = "bookings"

    @extend_schema(
        operation_id="move_booking",
        summary="Move a lesson",
        description="To a free slot, of the same teacher if you name none. The office can always.",
        request=MoveQuery,
        parameters=once.HEADERS,
        responses=answers({200: shapes.BookingAnswer}, 404, with_body=True, **REFUSALS),
    )
    def post(self, request: Request, booking: int) -> Response:
        lesson = _lesson(request, booking)
        asked = said(MoveQuery(data=request.data))
        teacher = _new_teacher(lesson, asked)
        return once.answer(request, lambda: _move(request, lesson, teacher, asked))


class CancelBooking(ApiView):
    throttle_scope = "bookings"

    @extend_schema(
        operation_id="cancel_booking",
        summary="Cancel a lesson, with a reason",
        description="Its time is free again. What is cancelled already stays so.",
        request=CancelQuery,
        parameters=once.HEADERS,
        responses=answers({200: shapes.BookingAnswer}, 404, with_body=True, **REFUSALS),
    )
    def post(self, request: Request, booking: int) -> Response:
        lesson = _lesson(request, booking)
        asked = said(CancelQuery(data=request.data))

        def act() -> Answer:
            cancelled = _cancel(request, lesson, reason=asked.get("reason", ""))
            return Answer(status=200, body=_shape(cancelled))

        return once.answer(request, act)


# ---------------------------------------------------------------- doing it


def _book(request: Request, student: Student, found: Teaching, asked: dict[str, Any]) -> Answer:
    now, user = timezone.now(), _user(request)
    zone = ZoneInfo(student.zone)
    try:
        lesson = program.book(
            student=student,
            course=found.course,
            teacher=found.teacher,
            starts_at=asked["start"],
            wished_times=asked.get("wished_times", ""),
            note=asked.get("note", ""),
            by=user,
            now=now,
        )
    except TAKEN as error:
        raise taken(
            teacher=found.teacher,
            course=found.course,
            student=student,
            wanted=asked["start"],
            now=now,
            zone=zone,
        ) from error
    except REFUSED as error:
        raise refused(error, zone=zone) from error
    return Answer(status=201, body=_shape(lesson))


def _move(request: Request, lesson: Lesson, teacher: Teacher, asked: dict[str, Any]) -> Answer:
    now, user = timezone.now(), _user(request)
    zone = ZoneInfo(zone_of(user))
    start: datetime = asked["start"]
    try:
        moved = operations.move_lesson(
            lesson=lesson,
            teacher=teacher,
            starts_at=start,
            by=user,
            now=now,
            reason=asked.get("reason", ""),
        )
    except TAKEN as error:
        raise taken(
            teacher=teacher,
            course=lesson.course,
            student=lesson.student,
            wanted=start,
            now=now,
            zone=zone,
            apart_from=lesson,
        ) from error
    except REFUSED as error:
        raise refused(error, zone=zone) from error
    return Answer(status=200, body=_shape(moved))


def _cancel(request: Request, lesson: Lesson, *, reason: str) -> Lesson:
    user = _user(request)
    try:
        return operations.cancel_lesson(lesson=lesson, by=user, now=timezone.now(), reason=reason)
    except REFUSED as error:
        raise refused(error, zone=ZoneInfo(zone_of(user))) from error


def _shape(lesson: Lesson) -> dict[str, Any]:
    ((_lesson, until),) = deadlines_of([lesson])
    return shapes.booking(lesson, until)


# ---------------------------------------------------------------- who and what


def _user(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def _student(request: Request) -> Student:
    """:raises PermissionDenied:"""
    student = student_of(request.user)
    if student is None:
        raise PermissionDenied(_("Only students book lessons; the office plans them."))
    return student


def _lesson(request: Request, pk: int) -> Lesson:
    """:raises NotFound: there is none, or it is somebody else's."""
    lesson = lessons_for(user=request.user).filter(pk=pk).first()
    if lesson is None:
        raise NotFound
    return lesson


def _teaching(request: Request, asked: dict[str, Any]) -> Teaching:
    """:raises Impossible: at the field."""
    found = teaching(teacher_id=asked["teacher"], course=asked["course"], user=request.user)
    if found is None:
        words = _("No teacher %(id)s teaches “%(course)s”.")
        told = words % {"id": asked["teacher"], "course": asked["course"]}
        raise Impossible({"teacher": [told]})
    return found


def _new_teacher(lesson: Lesson, asked: dict[str, Any]) -> Teacher:
    """Whom the operation lets give it is asked there.

    :raises Impossible: at the field.
    """
    if asked.get("teacher", lesson.teacher_id) == lesson.teacher_id:
        return lesson.teacher
    found = lesson.course.teachers.filter(pk=asked["teacher"]).first()
    if found is None:
        words = _("No teacher %(id)s teaches “%(course)s”.")
        told = words % {"id": asked["teacher"], "course": lesson.course.slug}
        raise Impossible({"teacher": [told]})
    return found
