from datetime import datetime

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import Func, Q
from django.utils.translation import gettext_lazy as _

from enrollment.domain.states import LessonStatus
from enrollment.models.courses import Course
from enrollment.models.enrollments import Enrollment
from enrollment.models.people import Student, Teacher, validate_zone

MOST_BUFFER = 240


class BusyPeriod(Func):
    """The lesson with its buffers, as an expression that PostgreSQL keeps as a column.

    Only what never depends on a session's time zone may be kept; minus an interval does.
    """

    template = """tstzrange(
      to_timestamp(extract(epoch FROM lower(period) - timestamptz '1970-01-01 00:00:00+00')::float8
                   - buffer_before * 60),
      to_timestamp(extract(epoch FROM upper(period) - timestamptz '1970-01-01 00:00:00+00')::float8
                   + buffer_after * 60))"""
    output_field = DateTimeRangeField()


class OwnTime(Func):
    """Equal for those who share one group lesson, different for any other two lessons."""

    template = """(CASE WHEN seats > 1 THEN hash_range_extended(period, course_id)
      & 9223372036854775807 ELSE -id END)"""
    output_field = models.BigIntegerField()


class Lesson(models.Model):
    """Who, when, with whom. The database itself refuses a double booking, whoever writes.

    `period` is half-open and aware; the wall clock it was agreed in stands beside it, so that a
    change of the zone's rules can be seen and put right.

    A group lesson is a row for each student: same teacher, course and period, and `seats` above 1.
    How many seats are taken is counted by who writes, under the teacher's lock.
    """

    class Status(models.TextChoices):
        HELD = LessonStatus.HELD.value, _("Held")
        PLANNED = LessonStatus.PLANNED.value, _("Planned")
        DONE = LessonStatus.DONE.value, _("Done")
        CANCELLED = LessonStatus.CANCELLED.value, _("Cancelled")

    course = models.ForeignKey(
        Course, on_delete=models.PROTECT, related_name="lessons", verbose_name=_("course")
    )
    teacher = models.ForeignKey(
        Teacher, on_delete=models.PROTECT, related_name="lessons", verbose_name=_("teacher")
    )
    student = models.ForeignKey(
        Student, on_delete=models.PROTECT, related_name="lessons", verbose_name=_("student")
    )
    # None while a slot is only held for somebody who is still filling in the form.
    enrollment = models.ForeignKey(
        Enrollment,
        on_delete=models.PROTECT,
        related_name="lessons",
        verbose_name=_("enrollment"),
        null=True,
        blank=True,
    )
    period = DateTimeRangeField(_("period"))
    local_on = models.DateField(_("agreed date"))
    local_start = models.TimeField(_("agreed time"))
    zone = models.CharField(_("agreed time zone"), max_length=64, validators=[validate_zone])
    seats = models.PositiveSmallIntegerField(_("seats"), default=1, db_default=1, editable=False)
    # Minutes in which the teacher takes no other lesson, as the policy was when this was agreed.
    buffer_before = models.PositiveSmallIntegerField(
        _("minutes kept free before"), default=0, db_default=0, editable=False
    )
    buffer_after = models.PositiveSmallIntegerField(
        _("minutes kept free after"), default=0, db_default=0, editable=False
    )
    busy = models.GeneratedField(
        expression=BusyPeriod(),
        output_field=DateTimeRangeField(),
        db_persist=True,
        verbose_name=_("teacher's time"),
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PLANNED
    )
    expires_at = models.DateTimeField(_("held until"), null=True, blank=True)

    class Meta:
        verbose_name = _("lesson")
        verbose_name_plural = _("lessons")
        ordering = ["period", "pk"]
        constraints = [
            ExclusionConstraint(
                name="lesson_teacher_once",
                expressions=[
                    ("teacher", RangeOperators.EQUAL),
                    ("busy", RangeOperators.OVERLAPS),
                    (OwnTime(), RangeOperators.NOT_EQUAL),
                ],
                condition=~Q(status=LessonStatus.CANCELLED),
                violation_error_message=_("The teacher already has a lesson at this time."),
            ),
            ExclusionConstraint(
                name="lesson_student_once",
                expressions=[
                    ("student", RangeOperators.EQUAL),
                    ("period", RangeOperators.OVERLAPS),
                ],
                condition=~Q(status=LessonStatus.CANCELLED),
                violation_error_message=_("The student already has a lesson at this time."),
            ),
            # An empty range never conflicts with anything, so it would slip past both of the above.
            models.CheckConstraint(
                name="lesson_period_finite",
                condition=Q(
                    period__isempty=False,
                    period__lower_inf=False,
                    period__upper_inf=False,
                    period__lower_inc=True,
                    period__upper_inc=False,
                ),
                violation_error_message=_("A lesson begins, and ends later."),
            ),
            models.CheckConstraint(
                name="lesson_held_until",
                condition=Q(status=LessonStatus.HELD, expires_at__isnull=False)
                | (~Q(status=LessonStatus.HELD) & Q(expires_at__isnull=True)),
                violation_error_message=_("A hold, and only a hold, has an end."),
            ),
            models.CheckConstraint(
                name="lesson_seats_and_buffers",
                condition=Q(
                    seats__gte=1,
                    seats__lte=100,
                    buffer_before__lte=MOST_BUFFER,
                    buffer_after__lte=MOST_BUFFER,
                ),
            ),
            # A hold that is named in an enrollment has left the flow, and waits for the office.
            models.UniqueConstraint(
                fields=["student", "course"],
                condition=Q(status=LessonStatus.HELD, enrollment__isnull=True),
                name="lesson_held_once",
                violation_error_message=_("The student already holds a time in this course."),
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=Q(status=LessonStatus.HELD), name="lesson_holds"
            ),
            # What the exclusion constraints leave out, and a calendar shows crossed out.
            *(
                GistIndex(
                    fields=[side, time],
                    condition=Q(status=LessonStatus.CANCELLED),
                    name=f"lesson_{side}_cancelled",
                )
                for side, time in (("student", "period"), ("teacher", "busy"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.course}, {self.local_on} {self.local_start:%H:%M} ({self.zone})"

    @property
    def starts_at(self) -> datetime:
        start: datetime = self.period.lower
        return start

    @property
    def ends_at(self) -> datetime:
        end: datetime = self.period.upper
        return end
