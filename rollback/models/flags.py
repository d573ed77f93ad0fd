from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from waffle.models import AbstractUserFlag

# In the audit, what all flags share (the salt) stands under this name; no flag may be called so.
ALL_FLAGS = "*"


class Switchboard(models.Model):
    """One row: the version of all flags together, and the salt they share.

    A database trigger raises the version with every write to a flag, whichever way it is made.
    The row's lock puts writers in order, so a higher version always contains the lower ones.
    """

    version = models.BigIntegerField(default=1)
    # When the version was raised, by the database's clock: a moment before the change's COMMIT.
    changed_at = models.DateTimeField(db_default=Now(), editable=False)
    salt = models.UUIDField()

    class Meta:
        constraints = [models.CheckConstraint(name="switchboard_one_row", condition=Q(pk=1))]

    def __str__(self) -> str:
        return f"switchboard at version {self.version}"


class Flag(AbstractUserFlag):
    """A django-waffle flag whose share takes the same users away every time, and never comes back by itself.

    Left out of stock waffle on purpose: languages, the testing cookie and rollout mode (the same
    person would get different answers), and groups (a check would need a query; waffle's signals
    need the field itself, so it is there and means nothing).
    """

    percent = models.DecimalField(
        _("share in %"),
        max_digits=5,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))],
        help_text=_("0.00 to 100.00 % of the users; who is off at 50 is off at 25."),
    )
    superusers = models.BooleanField(
        _("early for superusers"), default=False, help_text=_("While the share is above 0.")
    )
    staff = models.BooleanField(
        _("early for staff"), default=False, help_text=_("While the share is above 0.")
    )
    users = models.ManyToManyField(  # type: ignore[assignment]
        settings.AUTH_USER_MODEL,
        blank=True,
        verbose_name=_("early for these users"),
        help_text=_("They have it while the share is above 0."),
    )
    requires = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("master"),
        help_text=_("While the master is off for a user, so is this flag."),
    )
    languages = None  # type: ignore[assignment]
    testing = None  # type: ignore[assignment]
    rollout = None  # type: ignore[assignment]
    authenticated = None  # type: ignore[assignment]

    # Plugged by the switchboard: models know no processes, and waffle's own way of asking
    # (cache, then query, then dice) must never be taken.
    answer: ClassVar[Callable[[str, Any], bool]] = staticmethod(lambda name, who: False)

    class Meta(AbstractUserFlag.Meta):
        verbose_name = _("feature flag")
        verbose_name_plural = _("feature flags")
        ordering = [models.F("requires").asc(nulls_first=True), "name"]
        # Whoever may change a flag may lower it; more people get it only by who may raise.
        permissions = [("raise_flag", "Can raise feature flag")]
        constraints = [
            models.CheckConstraint(
                name="flag_share_0_to_100",
                condition=Q(percent__gte=0, percent__lte=100),
                violation_error_message=_("The share is between 0 and 100 %."),
            ),
            # waffle's "on for everyone" would beat share 0; a share of 100 says the same.
            models.CheckConstraint(name="flag_everyone_only_kills", condition=~Q(everyone=True)),
            models.CheckConstraint(name="flag_name_not_all", condition=~Q(name=ALL_FLAGS)),
        ]

    @classmethod
    def get(cls, name: str) -> "Flag":
        """waffle's entry: no cache, no query; the answer comes from the process's snapshot."""
        return cls(name=name)

    def is_active(self, request: HttpRequest, read_only: bool = False) -> bool | None:
        return type(self).answer(self.name, request)

    def is_active_for_user(self, user: Any) -> bool | None:
        return type(self).answer(self.name, user)

    @property
    def is_killed(self) -> bool:
        return self.everyone is False

    def flush(self) -> None:
        """There is no cache to flush."""
