"""A teacher's own weekly hours."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from enrollment.api.described import answers, header
from enrollment.api.reading import at_their_fields, said
from enrollment.api.views import ApiView
from enrollment.models import Teacher
from enrollment.queries.people import teacher_of
from scheduling.models import AvailabilityRule
from scheduling.operations import hours as operations
from scheduling.queries.hours import rules_of
from scheduling.serializers import answered as shapes
from scheduling.serializers.asked import RuleChangeQuery, RuleQuery

CLASHES = (
    "Lessons that are agreed already stay. Hours may not overlap each other; which are in the way "
    "is said at `starts`."
)


class Rules(ApiView):
    @extend_schema(
        operation_id="rules",
        summary="Your weekly hours",
        responses=answers({200: shapes.RulesAnswer}),
    )
    def get(self, request: Request) -> Response:
        rules = rules_of(_teacher(request))
        return Response({"results": [shapes.rule(one) for one in rules]})

    @extend_schema(
        operation_id="add_rule",
        summary="Add weekly hours",
        description=CLASHES,
        request=RuleQuery,
        parameters=[header("Location", str, 201, about="Of the new hours.")],
        responses=answers({201: shapes.RuleAnswer}, 422, with_body=True),
    )
    def post(self, request: Request) -> Response:
        teacher = _teacher(request)
        rule = AvailabilityRule(teacher=teacher, **said(RuleQuery(data=request.data)))
        try:
            operations.save_hours(rule=rule, now=timezone.now())
        except ValidationError as error:
            raise at_their_fields(error) from error
        where = reverse("availability-api:rule", args=[rule.pk], request=request)
        return Response(shapes.rule(rule), status=201, headers={"Location": where})


class Rule(ApiView):
    @extend_schema(
        operation_id="rule",
        summary="Some of your weekly hours",
        responses=answers({200: shapes.RuleAnswer}, 404),
    )
    def get(self, request: Request, rule: int) -> Response:
        found = rules_of(_teacher(request)).filter(pk=rule).first()
        if found is None:
            raise NotFound
        return Response(shapes.rule(found))

    @extend_schema(
        operation_id="replace_rule",
        summary="Say weekly hours anew",
        description=f"What you leave out is as if it had never been said. {CLASHES}",
        request=RuleQuery,
        responses=answers({200: shapes.RuleAnswer}, 404, 422, with_body=True),
    )
    def put(self, request: Request, rule: int) -> Response:
        return self._change(request, rule, RuleQuery)

    @extend_schema(
        operation_id="change_rule",
        summary="Change some of it",
        description=CLASHES,
        request=RuleChangeQuery,
        responses=answers({200: shapes.RuleAnswer}, 404, 422, with_body=True),
    )
    def patch(self, request: Request, rule: int) -> Response:
        return self._change(request, rule, RuleChangeQuery)

    @extend_schema(
        operation_id="delete_rule",
        summary="Delete weekly hours",
        description="Lessons that are agreed already stay.",
        responses=answers({204: OpenApiResponse(description="They are gone.")}, 404),
    )
    def delete(self, request: Request, rule: int) -> Response:
        now = timezone.now()
        try:
            operations.delete_hours(teacher=_teacher(request), rule_id=rule, now=now)
        except AvailabilityRule.DoesNotExist as error:
            raise NotFound from error
        return Response(status=204)

    def _change(self, request: Request, rule: int, kind: Any) -> Response:
        teacher = _teacher(request)
        # Whose it is comes first: to a stranger nothing is said about what is wrong with it.
        if not rules_of(teacher).filter(pk=rule).exists():
            raise NotFound
        try:
            changed = operations.change_hours(
                teacher=teacher,
                rule_id=rule,
                said=said(kind(data=request.data)),
                now=timezone.now(),
            )
        except ValidationError as error:
            raise at_their_fields(error) from error
        except AvailabilityRule.DoesNotExist as error:
            raise NotFound from error
        return Response(shapes.rule(changed))


def _teacher(request: Request) -> Teacher:
    """:raises PermissionDenied:"""
    teacher = teacher_of(request.user)
    if teacher is None:
        raise PermissionDenied(_("Only teachers have weekly hours, and each their own."))
    return teacher
