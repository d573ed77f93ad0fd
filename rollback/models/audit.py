from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class FlagChange(models.Model):
    """One change of a flag: who, why, before and after.

    Written by database triggers alone, at the end of each transaction that changed the flag,
    whichever way it did. Never changed and never deleted; only `actor_name` may be replaced by
    "person <id>" when somebody's name has to be forgotten.

    before, after: share ("50.00"), killed, staff, superusers, users (ids), master (a name or null).
    Empty: there was no such flag. Of ALL_FLAGS: salt.
    session: user, application and address of the database session; of an unexplained change also
    `claimed`, who and why it said it was.
    """

    class Kind(models.TextChoices):
        PERSON = "person", _("a person")
        AUTOMATIC = "automatic", _("automatic")
        UNEXPLAINED = "unexplained", _("without a reason")

    flag_name = models.CharField(_("flag"), max_length=100)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("person"),
    )
    # Who it was when no user of ours did it: a command's login name, a trigger, a database user.
    actor_name = models.CharField(_("by"), max_length=150)
    actor_kind = models.CharField(
        _("changed by"), max_length=20, choices=Kind, default=Kind.PERSON, db_default=Kind.PERSON
    )
    action = models.CharField(_("action"), max_length=20)
    reason = models.TextField(_("reason"))
    before = models.JSONField(_("before"))
    after = models.JSONField(_("after"))
    session = models.JSONField(_("database session"), default=dict, db_default={})
    changed_at = models.DateTimeField(_("when"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("flag change")
        verbose_name_plural = _("flag changes")
        ordering = ["-changed_at", "-pk"]
        indexes = [
            models.Index(fields=["flag_name", "-changed_at"], name="flag_history"),
            # The newest row of a flag is what the next one is compared with; no clock decides that.
            models.Index(fields=["flag_name", "-id"], name="flag_newest"),
        ]
        constraints = [
            models.CheckConstraint(
                name="flag_change_has_a_reason",
                condition=(Q(actor_kind="unexplained") | ~Q(reason="")) & ~Q(actor_name=""),
            )
        ]

    def __str__(self) -> str:
        return f"{self.flag_name}: {self.action} by {self.actor_name}"

    @property
    def is_unexplained(self) -> bool:
        return self.actor_kind == self.Kind.UNEXPLAINED
