from typing import Any, ClassVar, Protocol
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _


def validate_zone(value: str) -> None:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValidationError(
            _("“%(zone)s” is no time zone. Choose one like Europe/Berlin."),
            params={"zone": value},
        ) from error


# Reserved for ever (RFC 2606): no mail ever gets there.
DELETED_DOMAIN = "deleted.invalid"


def validate_address(value: str) -> None:
    """Nobody signs up with the address that another person will have after their deletion."""
    if value.strip().lower().endswith(f"@{DELETED_DOMAIN}"):
        raise ValidationError(_("This address cannot be used. Choose another."))


class Renamed(Protocol):
    def __call__(self, *, user: "User", old: str, new: str) -> None: ...


def _nobody_else_knows(*, user: "User", old: str, new: str) -> None:
    pass


_renamed: Renamed = _nobody_else_knows


def plug_renamed(renamed: Renamed) -> None:
    """Who keeps people's addresses elsewhere hears of each that changes, in the same transaction."""
    global _renamed
    _renamed = renamed


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person who can log in. The mail address is the login."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail address"), unique=True, validators=[validate_address])
    # In which mails are written to them. Empty: they have never chosen one; then it is the school's.
    language = models.CharField(_("language"), max_length=10, blank=True, default="", db_default="")
    # Erased at their own wish: the row stays for the school's books, and names nobody.
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_once",
                violation_error_message=_("Somebody else already uses this e-mail address."),
            )
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """The address is the login, so it is replaced and never emptied.

        allauth empties it while a new one waits to be confirmed; the old one stays until then.
        """
        if self.pk and not self.email:
            self.email = User.objects.values_list("email", flat=True).get(pk=self.pk)
        columns = kwargs.get("update_fields")
        if columns is not None and "email" not in columns:
            super().save(*args, **kwargs)
            return
        with transaction.atomic():
            old = self._address_until_now()
            super().save(*args, **kwargs)
            if old and old != self.email and self.deleted_at is None:
                _renamed(user=self, old=old, new=self.email)

    def _address_until_now(self) -> str:
        """Locked: of two changes at once, the second begins where the first ended."""
        if not self.pk:
            return ""
        locked = User.objects.select_for_update(no_key=True).filter(pk=self.pk)
        return locked.order_by().values_list("email", flat=True).first() or ""


class Teacher(models.Model):
    user = models.OneToOneField(User, on_delete=models.PROTECT, verbose_name=_("user"))
    display_name = models.CharField(_("name shown to students"), max_length=120)
    zone = models.CharField(
        _("time zone"),
        max_length=64,
        validators=[validate_zone],
        help_text=_("The teacher's own clock, an IANA name like Europe/Berlin."),
    )
    bio = models.TextField(_("about"), blank=True)

    class Meta:
        verbose_name = _("teacher")
        verbose_name_plural = _("teachers")
        ordering = ["display_name", "pk"]

    def __str__(self) -> str:
        return self.display_name


class Student(models.Model):
    user = models.OneToOneField(User, on_delete=models.PROTECT, verbose_name=_("user"))
    zone = models.CharField(
        _("time zone"),
        max_length=64,
        validators=[validate_zone],
        help_text=_("The student's own clock, an IANA name like Europe/Berlin."),
    )

    class Meta:
        verbose_name = _("student")
        verbose_name_plural = _("students")
        ordering = ["user__last_name", "user__first_name", "pk"]

    def __str__(self) -> str:
        return str(self.user)
