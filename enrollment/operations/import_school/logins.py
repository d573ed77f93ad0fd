"""Logins that were there before the import said whose address it is."""

from collections.abc import Iterable

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db.models import F
from django.utils import timezone

from enrollment.models import Enrollment, Teacher, User
from enrollment.personal import revoke_keys


def teaching() -> set[int]:
    """Users the office made teachers: nobody becomes one by signing up."""
    return set(Teacher.objects.values_list("user_id", flat=True))


def dealt_with() -> set[int]:
    """Users the office knows: its teachers, and students it enrolled. Signing up alone makes a student."""
    enrolled = Enrollment.objects.filter(flow=Enrollment.Flow.OFFICE)
    return teaching() | set(enrolled.values_list("student__user_id", flat=True))


def close_doubtful(users: Iterable[User], *, known: set[int]) -> int:
    """Anybody can sign up with somebody else's address; what the school imports is not for them.

    A login that is not yet known, whose address was never confirmed, loses its password and thereby
    its sessions, and the keys that the stranger made. Its owner sets a password by the reset mail. Staff
    keep theirs: the office made them.

    :returns: how many.
    """
    asked = [user for user in users if user.has_usable_password() and user.pk not in known]
    confirmed = _confirmed(asked)
    closed = [
        user
        for user in asked
        if user.pk not in confirmed and not user.is_staff and not user.is_superuser
    ]
    for user in closed:
        user.password = make_password(None)
    User.objects.bulk_update(closed, ["password"], batch_size=1000)
    # An address that waits for its confirmation would bring the stranger back in by a reset mail.
    EmailAddress.objects.filter(user__in=closed).delete()
    if closed:
        revoke_keys(users=[user.pk for user in closed], now=timezone.now())
    return len(closed)


def _confirmed(users: Iterable[User]) -> set[int]:
    addresses = EmailAddress.objects.filter(
        user__in=list(users), verified=True, email__iexact=F("user__email")
    )
    return set(addresses.values_list("user_id", flat=True))
