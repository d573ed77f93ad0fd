from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from enrollment.domain.states import LIVE_ENROLLMENT, EnrollmentStatus
from enrollment.models.courses import Course
from enrollment.models.people import Student, Teacher


class Enrollment(models.Model):
    """A student's place in a course, whichever flow it came through."""

    class Status(models.TextChoices):
        REQUESTED = EnrollmentStatus.REQUESTED.value, _("Requested")
        CONFIRMED = EnrollmentStatus.CONFIRMED.value, _("Confirmed")
        COMPLETED = EnrollmentStatus.COMPLETED.value, _("Completed")
        DECLINED = EnrollmentStatus.DECLINED.value, _("Declined")
        CANCELLED = EnrollmentStatus.CANCELLED.value, _("Cancelled")

    class Flow(models.TextChoices):
        ORIGINAL = "original", _("Original form")
        SCHEDULING = "scheduling", _("With a chosen time")
        OFFICE = "office", _("Entered by the office")

    student = models.ForeignKey(
        Student, on_delete=models.PROTECT, related_name="enrollments", verbose_name=_("student")
    )
    course = models.ForeignKey(
        Course, on_delete=models.PROTECT, related_name="enrollments", verbose_name=_("course")
    )
    teacher = models.ForeignKey(
        Teacher,
        on_delete=models.PROTECT,
        related_name="enrollments",
        verbose_name=_("teacher"),
        null=True,
        blank=True,
    )
    # A student types up to 2,000; the rest is room for a chosen time that was put into words.
    wished_times = models.TextField(_("wished times"), blank=True, max_length=3000)
    note = models.TextField(_("note"), blank=True, max_length=4000)
    office_note = models.TextField(
        _("note for the office"), blank=True, help_text=_("Never shown to the student.")
    )
    status = models.CharField(
        _("status"), max_length=12, choices=Status.choices, default=Status.REQUESTED
    )
    payment_reference = models.CharField(_("payment reference"), max_length=64, blank=True)
    flow = models.CharField(
        _("came through"), max_length=12, choices=Flow.choices, default=Flow.ORIGINAL
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    # Completed, declined or cancelled then. Empty: it goes on, or it was over before this was kept.
    ended_at = models.DateTimeField(_("over since"), null=True, blank=True, editable=False)
    # A row without it has not been told to the student yet; beat finds it, whatever the queue did.
    confirmation_sent_at = models.DateTimeField(
        _("confirmation mailed"), null=True, blank=True, editable=False
    )
    confirmation_tries = models.PositiveSmallIntegerField(
        _("tries to mail the confirmation"), default=0, editable=False
    )
    # Not before then: a worker's lease while the mail is on its way, or the wait after a failure.
    # Empty after a try: sent, or given up.
    confirmation_next_at = models.DateTimeField(
        _("confirmation tried again"), null=True, blank=True, editable=False
    )

    class Meta:
        verbose_name = _("enrollment")
        verbose_name_plural = _("enrollments")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["student", "course"],
                condition=Q(status__in=LIVE_ENROLLMENT),
                name="one_live_enrollment",
                violation_error_message=_("This student is already enrolled in this course."),
            )
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(confirmation_sent_at__isnull=True),
                name="enrollment_untold",
            )
        ]

    def __str__(self) -> str:
        return f"{self.student} – {self.course}"
