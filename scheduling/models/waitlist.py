from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from enrollment.models import Course, Lesson, Student, Teacher
from scheduling.domain.waiting import LIVE_ENTRY, WaitlistStatus


class WaitlistEntry(models.Model):
    """A student waits for a teacher's time, or for a place in a full course.

    teacher and starts_at: that time; both empty: a place. While it is offered, a time is held by
    `hold`, a lesson like every hold, and a place is counted as taken (`queries.waitlist`).
    """

    class Status(models.TextChoices):
        WAITING = WaitlistStatus.WAITING.value, _("Waiting")
        OFFERED = WaitlistStatus.OFFERED.value, _("Offered")
        TAKEN = WaitlistStatus.TAKEN.value, _("Taken")
        EXPIRED = WaitlistStatus.EXPIRED.value, _("Expired")
        LEFT = WaitlistStatus.LEFT.value, _("Left")

    student = models.ForeignKey(
        Student,
        on_delete=models.DO_NOTHING,
        related_name="waitlist_entries",
        verbose_name=_("student"),
    )
    course = models.ForeignKey(
        Course,
        on_delete=models.DO_NOTHING,
        related_name="waitlist_entries",
        verbose_name=_("course"),
    )
    teacher = models.ForeignKey(
        Teacher,
        on_delete=models.DO_NOTHING,
        related_name="waitlist_entries",
        verbose_name=_("teacher"),
        null=True,
        blank=True,
    )
    starts_at = models.DateTimeField(_("time"), null=True, blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.WAITING
    )
    created_at = models.DateTimeField(_("waiting since"))
    ended_at = models.DateTimeField(_("over since"), null=True, blank=True)
    offered_at = models.DateTimeField(_("offered"), null=True, blank=True)
    offer_expires_at = models.DateTimeField(_("offered until"), null=True, blank=True)
    # Nothing in the database holds on to the lesson: the ground floor deletes holds that run out, by
    # SQL and by the thousand, and must neither wait for this table nor need it. A hold that is not
    # there any more is an offer that is over; ids are never given twice.
    hold = models.ForeignKey(
        Lesson,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("held lesson"),
        null=True,
        blank=True,
    )
    # The mail about the offer; see enrollment/operations/mailing.py.
    offer_sent_at = models.DateTimeField(_("offer mailed"), null=True, blank=True)
    offer_tries = models.PositiveSmallIntegerField(_("tries to mail the offer"), default=0)
    offer_next_at = models.DateTimeField(_("offer tried again"), null=True, blank=True)

    class Meta:
        verbose_name = _("waitlist entry")
        verbose_name_plural = _("waitlist")
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["student", "course", "teacher", "starts_at"],
                condition=Q(status__in=LIVE_ENTRY),
                nulls_distinct=False,
                name="waitlist_waits_once",
            ),
            models.CheckConstraint(
                name="waitlist_time_or_place",
                condition=Q(teacher__isnull=True, starts_at__isnull=True)
                | Q(teacher__isnull=False, starts_at__isnull=False),
            ),
            models.CheckConstraint(
                name="waitlist_offer_has_an_end",
                condition=~Q(status=WaitlistStatus.OFFERED)
                | Q(offered_at__isnull=False, offer_expires_at__isnull=False),
            ),
            models.CheckConstraint(
                name="waitlist_ends_once",
                condition=Q(status__in=LIVE_ENTRY, ended_at__isnull=True)
                | (~Q(status__in=LIVE_ENTRY) & Q(ended_at__isnull=False)),
            ),
        ]
        indexes = [
            # Who is next for what.
            models.Index(
                fields=["course", "teacher", "starts_at", "created_at"],
                condition=Q(status=WaitlistStatus.WAITING),
                name="waitlist_line",
            ),
            # Which places are kept free, and which offers run out.
            models.Index(
                fields=["course", "offer_expires_at"],
                condition=Q(status=WaitlistStatus.OFFERED),
                name="waitlist_offers",
            ),
            models.Index(fields=["ended_at"], name="waitlist_over"),
        ]

    def __str__(self) -> str:
        return f"{self.student} – {self.course}"

    @property
    def is_live(self) -> bool:
        return self.status in LIVE_ENTRY

    @property
    def is_offered(self) -> bool:
        return self.status == WaitlistStatus.OFFERED
