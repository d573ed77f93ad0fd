from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from enrollment.domain.messages import LONGEST
from enrollment.models.enrollments import Enrollment
from enrollment.models.people import User


class Thread(Enrollment):
    """An enrollment as the place where its student and its teachers write to each other."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")


class Message(models.Model):
    """Whoever writes one holds the enrollment's row: in a thread, a higher key was written later."""

    enrollment = models.ForeignKey(
        Enrollment,
        on_delete=models.PROTECT,
        related_name="messages",
        verbose_name=_("enrollment"),
        db_index=False,
    )
    sender = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        related_name="messages_sent",
        verbose_name=_("from"),
        db_index=False,
    )
    body = models.TextField(_("message"), max_length=LONGEST)
    sent_at = models.DateTimeField(_("sent"), default=timezone.now, editable=False)

    class Meta:
        # No permission opens them: the office reads a thread with a reason, or not at all.
        default_permissions = ()
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["enrollment", "id"], name="message_thread"),
            # The limit by the hour, and threads of late that wait for a reader.
            models.Index(fields=["sender", "sent_at"], name="message_sender"),
            models.Index(fields=["sent_at"], name="message_sent"),
        ]

    def __str__(self) -> str:
        # Never the body: this stands in logs and in lists of the office.
        return f"{self.sender}, {timezone.localtime(self.sent_at):%Y-%m-%d %H:%M}"


class Reader(models.Model):
    """How far a person has read a thread, and how far they were told of it by mail.

    seen_to, told_to: the key of the last message, 0 for none. What lies above both is untold.
    """

    enrollment = models.ForeignKey(
        Enrollment, on_delete=models.CASCADE, related_name="readers", verbose_name=_("enrollment")
    )
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="reads", verbose_name=_("person")
    )
    seen_to = models.BigIntegerField(_("read up to"), default=0)
    told_to = models.BigIntegerField(_("told up to"), default=0)
    notice_tries = models.PositiveSmallIntegerField(_("tries to mail the notice"), default=0)
    # Empty: nothing is untold, or it was given up. Else not before then: the minute in which more
    # may come, a worker's lease, or the wait after a failure.
    notice_next_at = models.DateTimeField(_("notice due"), null=True, blank=True)

    class Meta:
        default_permissions = ()
        verbose_name = _("reader")
        verbose_name_plural = _("readers")
        constraints = [
            models.UniqueConstraint(fields=["user", "enrollment"], name="thread_reader_once")
        ]
        indexes = [
            models.Index(
                fields=["notice_next_at"],
                condition=models.Q(notice_next_at__isnull=False),
                name="reader_untold",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.enrollment}"


class MessageAccess(models.Model):
    """That somebody of the office opened a thread, and why. Written once, never changed."""

    enrollment = models.ForeignKey(
        Enrollment,
        on_delete=models.PROTECT,
        related_name="message_accesses",
        verbose_name=_("enrollment"),
    )
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+", verbose_name=_("opened by")
    )
    reason = models.TextField(_("reason"), max_length=1000)
    opened_at = models.DateTimeField(_("opened"), default=timezone.now, editable=False)

    class Meta:
        default_permissions = ("view", "add")
        verbose_name = _("opened conversation")
        verbose_name_plural = _("opened conversations")
        ordering = ["-opened_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.user}, {timezone.localtime(self.opened_at):%Y-%m-%d %H:%M}"
