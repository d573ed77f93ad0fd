from datetime import datetime

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from enrollment.domain.states import ConflictStatus, LessonStatus
from enrollment.models.enrollments import Enrollment
from enrollment.models.lessons import Lesson
from enrollment.models.people import Student, Teacher, User


class Conflict(models.Model):
    """A contradiction that was found: who found it says what it means (`enrollment.detectors`).

    It names nobody in words, only by its keys: so whoever is erased is gone from here, too.
    """

    class Status(models.TextChoices):
        OPEN = ConflictStatus.OPEN.value, _("Open")
        DISMISSED = ConflictStatus.DISMISSED.value, _("Kept as it is")
        RESOLVED = ConflictStatus.RESOLVED.value, _("Resolved")

    kind = models.CharField(_("kind"), max_length=40)
    key = models.CharField(max_length=200, editable=False)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.OPEN
    )
    found_at = models.DateTimeField(_("found"), default=timezone.now)
    seen_at = models.DateTimeField(_("last seen"), default=timezone.now)
    resolved_at = models.DateTimeField(_("ended"), null=True, blank=True)
    # None: a rule did it, or it was gone by itself.
    resolved_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("ended by"),
        null=True,
        blank=True,
    )
    resolution = models.TextField(_("what was done, or why it stays"), blank=True)
    automatic = models.BooleanField(_("by a rule"), default=False)
    facts = models.JSONField(_("facts"), default=dict)
    # Never holds: they are deleted, also by statements of SQL. A hold stands in the facts.
    lessons = models.ManyToManyField(
        Lesson, related_name="conflicts", verbose_name=_("lessons"), blank=True
    )
    enrollment = models.ForeignKey(
        Enrollment,
        on_delete=models.SET_NULL,
        related_name="conflicts",
        verbose_name=_("enrollment"),
        null=True,
        blank=True,
    )
    student = models.ForeignKey(
        Student,
        on_delete=models.SET_NULL,
        related_name="conflicts",
        verbose_name=_("student"),
        null=True,
        blank=True,
    )
    teacher = models.ForeignKey(
        Teacher,
        on_delete=models.SET_NULL,
        related_name="conflicts",
        verbose_name=_("teacher"),
        null=True,
        blank=True,
    )

    class Meta:
        default_permissions = ("view", "change")
        verbose_name = _("conflict")
        verbose_name_plural = _("conflicts")
        ordering = ["-found_at", "-pk"]
        constraints = [
            # One that a person has decided to keep is not found anew.
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=~Q(status=ConflictStatus.RESOLVED),
                name="conflict_once",
            ),
            models.CheckConstraint(
                condition=Q(status=ConflictStatus.OPEN, resolved_at__isnull=True)
                | (~Q(status=ConflictStatus.OPEN) & Q(resolved_at__isnull=False)),
                name="conflict_ended",
            ),
        ]
        indexes = [models.Index(fields=["status", "-found_at"], name="conflict_by_status")]

    def __str__(self) -> str:
        # Never a name: this stands in logs.
        return f"{self.kind} {self.pk}"


class MakeUpCredit(models.Model):
    """A lesson that the school owes a student, because it had to cancel one."""

    enrollment = models.ForeignKey(
        Enrollment,
        on_delete=models.PROTECT,
        related_name="credits",
        verbose_name=_("enrollment"),
    )
    lesson = models.OneToOneField(
        Lesson,
        on_delete=models.PROTECT,
        related_name="credit",
        verbose_name=_("cancelled lesson"),
    )
    minutes = models.PositiveSmallIntegerField(_("minutes"), validators=[MinValueValidator(1)])
    granted_at = models.DateTimeField(_("granted"), default=timezone.now)
    granted_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("granted by"),
        null=True,
        blank=True,
    )
    note = models.CharField(
        _("note"), max_length=200, blank=True, help_text=_("Only the office reads it.")
    )
    # Cancelled in its turn, it gives the credit back: see `is_open`.
    used_lesson = models.OneToOneField(
        Lesson,
        on_delete=models.PROTECT,
        related_name="makes_up",
        verbose_name=_("made up in the lesson"),
        null=True,
        blank=True,
    )
    used_at = models.DateTimeField(_("used"), null=True, blank=True)

    class Meta:
        default_permissions = ("view", "change")
        verbose_name = _("make-up credit")
        verbose_name_plural = _("make-up credits")
        ordering = ["granted_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(used_lesson__isnull=True, used_at__isnull=True)
                | Q(used_lesson__isnull=False, used_at__isnull=False),
                name="credit_used",
            )
        ]

    def __str__(self) -> str:
        return _("%(minutes)d minutes, granted on %(day)s") % {
            "minutes": self.minutes,
            "day": _day(self.granted_at),
        }

    @property
    def is_open(self) -> bool:
        return self.used_lesson is None or self.used_lesson.status == LessonStatus.CANCELLED


def _day(moment: datetime) -> str:
    return f"{timezone.localdate(moment):%Y-%m-%d}"
