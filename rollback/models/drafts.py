from django.db import models
from django.db.models import Q, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from enrollment.models import Course, Enrollment, Student
from rollback.domain.answers import VERSION
from rollback.domain.versions import Arrival


class EnrollmentDraft(models.Model):
    """What a student has typed on the way to an enrollment, whichever flow it was typed in."""

    student = models.ForeignKey(
        Student, on_delete=models.CASCADE, related_name="+", verbose_name=_("student")
    )
    course = models.ForeignKey(
        Course, on_delete=models.CASCADE, related_name="+", verbose_name=_("course")
    )
    answers = models.JSONField(_("answers"), default=dict)
    answers_version = models.PositiveSmallIntegerField(default=VERSION, editable=False)
    # Raised with every save that changes answers; what `rollback.domain.versions` remembers beside.
    version = models.PositiveIntegerField(_("version"), default=0, db_default=0)
    changes = models.JSONField(
        default=dict, db_default=Value({}, models.JSONField()), editable=False
    )
    set_aside = models.JSONField(
        _("set aside"), default=list, db_default=Value([], models.JSONField())
    )
    # By open page, the number of its last save: an overtaken one must not win by arriving late.
    heard = models.JSONField(default=dict, editable=False)
    step = models.CharField(_("furthest step"), max_length=20, blank=True)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    saved_at = models.DateTimeField(_("saved"))
    # Set while the student is in the original flow because the new one was taken away.
    turned_away_at = models.DateTimeField(_("turned away"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    enrollment = models.ForeignKey(
        Enrollment,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("enrollment"),
    )

    # Of the save that gave this object, and not stored. None: a later save had overtaken it.
    arrival: Arrival | None = None

    class Meta:
        verbose_name = _("enrollment draft")
        verbose_name_plural = _("enrollment drafts")
        ordering = ["-saved_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["student", "course"],
                condition=Q(finished_at__isnull=True),
                name="one_live_draft",
            )
        ]

    def __str__(self) -> str:
        return f"{self.student} – {self.course}"
