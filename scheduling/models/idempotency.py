from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from enrollment.models import User

KEPT = timedelta(hours=24)
LONGEST_KEY = 255


class IdempotencyKey(models.Model):
    """What a program was answered, so that the same request sent twice is done once.

    Written in the transaction of what was done. fingerprint: of method, path and body, because a
    key belongs to one request. status, answer: empty only while the request is being done, which
    nobody else can see.
    """

    user = models.ForeignKey(
        User, on_delete=models.DO_NOTHING, related_name="+", verbose_name=_("person")
    )
    key = models.CharField(_("key"), max_length=LONGEST_KEY)
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    status = models.PositiveSmallIntegerField(_("status"), null=True, blank=True)
    answer = models.JSONField(_("answer"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("request of a program")
        verbose_name_plural = _("requests of programs")
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_age")]

    def __str__(self) -> str:
        return self.key
