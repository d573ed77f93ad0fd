from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken, AuthTokenManager


class ApiToken(AbstractAuthToken):  # type: ignore[misc]
    """Lets a program act for a person. Kept as a digest; the token itself is shown once.

    `token_key`, its first 15 characters, names it to people; 49 more are left to guess. A revoked or
    expired token stays as a row, so that it can be seen what once had access.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("person"),
    )
    # knox's `create` returns the row and the token.
    objects: ClassVar[Any] = AuthTokenManager()

    name = models.CharField(
        _("name"), max_length=60, help_text=_("What it is for, like: calendar on my phone.")
    )
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created", "token_key"]
        constraints = [
            models.UniqueConstraint(fields=["token_key"], name="api_token_key_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.token_key}…)"

    def is_live(self, *, now: datetime) -> bool:
        return self.revoked_at is None and (self.expiry is None or now < self.expiry)
