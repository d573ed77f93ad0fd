from django.db import models
from django.db.models import Q, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from enrollment.models import Course, Enrollment, Student
from rollback.domain.answers import VERSION
from rollback.domain.reading import Poison
from rollback.domain.versions import Arrival
from rollback.models.fields import AnyJSONField


class EnrollmentDraft(models.Model):
    """What a student has typed on the way to an enrollment, whichever flow it was typed in.

    Live: neither finished nor set aside. The columns of answers may hold anything; they are read
    through `rollback.quarantine` only.
    """

    class Problem(models.TextChoices):
        TOO_LARGE = Poison.TOO_LARGE.value, _("It is larger than anything we save.")
        UNKNOWN_VERSION = Poison.UNKNOWN_VERSION.value, _("Another release of the school wrote it.")
        NOT_BY_NAME = Poison.NOT_BY_NAME.value, _("The answers are not sorted by name.")
        NOT_TEXT = Poison.NOT_TEXT.value, _("Some of the answers are no text.")
        NOT_ASIDE = Poison.NOT_ASIDE.value, _("What waits for a choice cannot be read.")

    student = models.ForeignKey(
        Student, on_delete=models.CASCADE, related_name="+", verbose_name=_("student")
    )
    course = models.ForeignKey(
        Course, on_delete=models.CASCADE, related_name="+", verbose_name=_("course")
    )
    answers = AnyJSONField(_("answers"), default=dict)
    answers_version = models.PositiveSmallIntegerField(default=VERSION, editable=False)
    # Raised with every save that changes answers; what `rollback.domain.versions` remembers beside.
    version = models.PositiveIntegerField(_("version"), default=0, db_default=0)
    changes = AnyJSONField(default=dict, db_default=Value({}, models.JSONField()), editable=False)
    set_aside = AnyJSONField(_("set aside"), default=list, db_default=Value([], models.JSONField()))
    # By open page, the number of its last save: an overtaken one must not win by arriving late.
    heard = AnyJSONField(default=dict, editable=False)
    step = models.CharField(_("furthest step"), max_length=20, blank=True)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    saved_at = models.DateTimeField(_("saved"))
    # Set while the student is in the original flow because the new one was taken away.
    turned_away_at = models.DateTimeField(_("turned away"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    # Set aside for the office, because the answers could not be read; the student goes on in a new one.
    quarantined_at = models.DateTimeField(_("set aside"), null=True, blank=True, editable=False)
    problem = models.CharField(
        _("problem"),
        max_length=20,
        choices=Problem.choices,
        blank=True,
        default="",
        db_default="",
        editable=False,
    )
    # At most one reminder for a draft: a row without it may still get one.
    reminded_at = models.DateTimeField(_("reminded"), null=True, blank=True, editable=False)
    reminder_tries = models.PositiveSmallIntegerField(
        _("tries to mail the reminder"), default=0, db_default=0, editable=False
    )
    # Not before then: a worker's lease while the mail is on its way, or the wait after a failure.
    # Empty after a try: sent, or given up.
    reminder_next_at = models.DateTimeField(
        _("reminder tried again"), null=True, blank=True, editable=False
    )
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
                condition=Q(finished_at__isnull=True, quarantined_at__isnull=True),
                name="one_live_draft",
            ),
            models.CheckConstraint(
                name="draft_set_aside_with_a_problem",
                condition=Q(quarantined_at__isnull=True, problem="")
                | (Q(quarantined_at__isnull=False) & ~Q(problem="")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["saved_at"],
                condition=Q(
                    finished_at__isnull=True,
                    quarantined_at__isnull=True,
                    reminded_at__isnull=True,
                ),
                name="draft_not_reminded",
            )
        ]

    # Filled in by `rollback.quarantine`: an earlier one of this student and course was set aside.
    follows_unreadable = False

    def __str__(self) -> str:
        return f"{self.student} – {self.course}"


class NoReminders(models.Model):
    """That a student wants no mails about unfinished enrollments. The row is the answer."""

    student = models.OneToOneField(
        Student, on_delete=models.CASCADE, related_name="+", verbose_name=_("student")
    )
    since = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("student without reminders")
        verbose_name_plural = _("students without reminders")

    def __str__(self) -> str:
        return str(self.student)
