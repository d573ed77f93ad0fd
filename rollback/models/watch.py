from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from enrollment.models import Course, Student


class Sample(models.Model):
    """How many there were in a slot of time, and how many of them were bad: all the watch keeps of traffic.

    Slots of ten seconds are written by the processes, rolled up to minutes after two days and to
    hours after thirty. Nothing in it says whose requests they were.

    metric: `rollback.domain.metrics`. feature: a flag's name; empty: the ground floor, or everything.
    is_on: whether the feature was on for who asked; so those without it are the control group.
    seconds: how long the slot is, from `begins_at` on.
    """

    metric = models.CharField(_("metric"), max_length=40)
    feature = models.CharField(_("feature"), max_length=100, blank=True)
    is_on = models.BooleanField(_("on"))
    begins_at = models.DateTimeField(_("from"))
    seconds = models.PositiveSmallIntegerField(_("length in seconds"), default=10)
    total = models.PositiveIntegerField(_("total"), default=0)
    bad = models.PositiveIntegerField(_("bad"), default=0)

    class Meta:
        verbose_name = _("sample")
        verbose_name_plural = _("samples")
        constraints = [
            models.UniqueConstraint(
                fields=["metric", "feature", "is_on", "begins_at", "seconds"], name="sample_once"
            ),
            models.CheckConstraint(name="sample_bad_among_all", condition=Q(bad__lte=F("total"))),
            models.CheckConstraint(name="sample_slot", condition=Q(seconds__in=(10, 60, 3600))),
        ]
        indexes = [models.Index(fields=["seconds", "begins_at"], name="sample_times")]

    def __str__(self) -> str:
        return f"{self.metric}, {self.feature or '–'}, {self.begins_at:%Y-%m-%d %H:%M:%S}"


class EnrollmentSession(models.Model):
    """One attempt of a student to enroll in a course, from the first form to the last.

    Left for half an hour without a change it is abandoned; coming back later begins another one.
    is_on: whether the new flow was on when it began. began_in, flow: "new" or "original", at first
    and now, which differ where a rollback moved the student. furthest_step: 1 is the first form.
    """

    class Flow(models.TextChoices):
        NEW = "new", _("new")
        ORIGINAL = "original", _("original")

    student = models.ForeignKey(
        Student, on_delete=models.CASCADE, related_name="+", verbose_name=_("student")
    )
    course = models.ForeignKey(
        Course, on_delete=models.CASCADE, related_name="+", verbose_name=_("course")
    )
    is_on = models.BooleanField(_("new flow on"))
    began_in = models.CharField(_("began in"), max_length=10, choices=Flow.choices)
    flow = models.CharField(_("flow"), max_length=10, choices=Flow.choices)
    furthest_step = models.PositiveSmallIntegerField(_("furthest step"), default=1)
    started_at = models.DateTimeField(_("started"))
    changed_at = models.DateTimeField(_("last change"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    # Neither finished nor known to be abandoned: at most one for a student and course.
    is_open = models.BooleanField(_("open"), default=True)

    class Meta:
        verbose_name = _("enrollment session")
        verbose_name_plural = _("enrollment sessions")
        constraints = [
            models.UniqueConstraint(
                fields=["student", "course"],
                condition=Q(is_open=True),
                name="one_open_enrollment_session",
            ),
            models.CheckConstraint(
                name="enrollment_session_over_when_finished",
                condition=Q(finished_at=None) | Q(is_open=False),
            ),
        ]
        indexes = [models.Index(fields=["started_at"], name="enrollment_session_starts")]

    def __str__(self) -> str:
        return f"{self.student_id}, {self.course_id}, {self.started_at:%Y-%m-%d %H:%M}"


class Complaint(models.Model):
    """What somebody reported. The watch counts the distinct people of an hour.

    by: the person; reporter: "u:17", or of who was not logged in a digest of the address and
    the hour, so that one person is one. features: the flags that were on for them.
    """

    class Kind(models.TextChoices):
        BROKEN = "broken", _("Something does not work")
        SLOW = "slow", _("Something is slow")
        WRONG = "wrong", _("A lesson or a time is wrong")
        PAYMENT = "payment", _("A payment")
        OTHER = "other", _("Something else")

    kind = models.CharField(_("what it is about"), max_length=10, choices=Kind.choices)
    text = models.TextField(_("what happened"), max_length=2000)
    path = models.CharField(_("page"), max_length=300, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    reporter = models.CharField(max_length=60, editable=False)
    features = ArrayField(
        models.CharField(max_length=100), default=list, blank=True, verbose_name=_("features on")
    )
    reported_at = models.DateTimeField(_("reported"), db_default=Now())
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("done by (person)"),
    )
    done_by_name = models.CharField(_("done by"), max_length=150, blank=True)
    answer = models.TextField(_("what was done"), blank=True)

    class Meta:
        verbose_name = _("complaint")
        verbose_name_plural = _("complaints")
        ordering = [F("done_at").desc(nulls_first=True), "-reported_at", "-pk"]
        indexes = [models.Index(fields=["reported_at"], name="complaint_times")]
        constraints = [
            models.CheckConstraint(
                name="complaint_done_in_words",
                condition=Q(done_at=None, done_by_name="", answer="")
                | (Q(done_at__isnull=False) & ~Q(done_by_name="") & ~Q(answer="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.reported_at:%Y-%m-%d %H:%M}"


class Heartbeat(models.Model):
    """One row: when the triggers were last evaluated, by whom, and what came out of each.

    verdicts: trigger's name → {"verdict", "since", "words", "rate", "total", "bad"}.
    lease_owner, lease_until: who evaluates just now, and how long nobody else does.
    """

    name = models.CharField(max_length=20, primary_key=True)
    beat_at = models.DateTimeField(_("last evaluated"), db_default=Now())
    by = models.CharField(_("by"), max_length=150)
    milliseconds = models.PositiveIntegerField(_("took, in ms"), default=0)
    verdicts = models.JSONField(_("verdicts"), default=dict)
    lease_owner = models.CharField(max_length=40, blank=True, db_default="", editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return f"{self.name}, {self.beat_at:%Y-%m-%d %H:%M:%S}"


class LocalTrip(models.Model):
    """That one process switched the features off by itself, because it lost the database.

    Written when the database is back. uuid: the process's (`Process.uuid`), with its own number of
    the trip, so that a word said twice is one row.
    """

    uuid = models.UUIDField()
    number = models.PositiveIntegerField()
    kind = models.CharField(_("process"), max_length=20)
    host = models.CharField(_("host"), max_length=200)
    pid = models.PositiveIntegerField(_("process number"))
    failures = models.PositiveIntegerField(_("failed connections"))
    tripped_at = models.DateTimeField(_("off since"))
    back_at = models.DateTimeField(_("database back"))

    class Meta:
        verbose_name = _("local trip")
        verbose_name_plural = _("local trips")
        ordering = ["-tripped_at"]
        constraints = [models.UniqueConstraint(fields=["uuid", "number"], name="local_trip_once")]
        indexes = [models.Index(fields=["back_at"], name="local_trip_back")]

    def __str__(self) -> str:
        return f"{self.kind}, {self.host}, {self.pid}: {self.tripped_at:%Y-%m-%d %H:%M:%S}"
