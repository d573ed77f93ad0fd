"""Who is on call: read from the shifts, and handed over from one person to another."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from enrollment.models import User
from rollback.audit import ChangeRefused
from rollback.domain import oncall
from rollback.domain.oncall import Shift, Span
from rollback.models import DeafAddress, OnCallShift

# Who is not called any more is left out, whatever the roster says.
REACHABLE = Q(is_active=True, is_staff=True, deleted_at=None) & ~Q(email="")
# Two that fill the same number at once come one after the other, until the end of the transaction.
ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended('on call as ' || %s, 0))"
SOON = timedelta(hours=48)


def candidates() -> QuerySet[User]:
    """Who can be called: active staff with a mail address."""
    return User.objects.filter(REACHABLE).order_by("last_name", "first_name", "pk")


def everybody() -> list[User]:
    """Who may switch off: called where nobody is on call, or nobody of them has answered."""
    may = Permission.objects.filter(content_type__app_label="rollback", codename="change_flag")
    holds = Q(is_superuser=True) | Q(groups__permissions__in=may) | Q(user_permissions__in=may)
    found = User.objects.filter(REACHABLE, holds).select_related("student", "teacher")
    return list(found.order_by("pk").distinct())


def shifts_between(start: datetime, end: datetime) -> list[Shift]:
    """Of those who can be called."""
    found = OnCallShift.objects.filter(starts_at__lt=end, ends_at__gt=start)
    rows = found.filter(user__in=candidates()).select_related("user__teacher")
    return [as_shift(row) for row in rows.order_by("starts_at", "level")]


def as_shift(row: OnCallShift) -> Shift:
    return Shift(
        user=row.user_id,
        level=row.level,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        name=str(row.user),
    )


def people_now(*, now: datetime) -> dict[int, User]:
    """Number → who is called as it now."""
    numbers = oncall.on_call(shifts_between(now, now + timedelta(microseconds=1)), now=now)
    people = User.objects.select_related("student", "teacher").in_bulk(set(numbers.values()))
    return {level: people[user] for level, user in numbers.items()}


def gaps(*, now: datetime, within: timedelta) -> list[Span]:
    """When nobody at all is on call."""
    return oncall.gaps(shifts_between(now, now + within), start=now, end=now + within)


def unreached(*, now: datetime, within: timedelta) -> list[User]:
    """Who has a shift by then and an address from which mails came back; one query."""
    shifts = OnCallShift.objects.filter(
        user=OuterRef("pk"), starts_at__lt=now + within, ends_at__gt=now
    )
    deaf = DeafAddress.objects.alias(lower=Lower("email")).filter(lower=Lower(OuterRef("email")))
    found = candidates().filter(Exists(shifts), Exists(deaf))
    return list(found.select_related("student", "teacher"))


def is_kept() -> bool:
    """Whether there is a roster at all: then a hole in it is a mistake."""
    return OnCallShift.objects.exists()


def overlapping(
    *, level: int, starts_at: datetime, ends_at: datetime, but: int | None = None
) -> OnCallShift | None:
    """Whoever has the number in that time; asked in the transaction that is to write it."""
    with connection.cursor() as cursor:
        cursor.execute(ONE_BY_ONE, [str(level)])
    found = OnCallShift.objects.filter(level=level, starts_at__lt=ends_at, ends_at__gt=starts_at)
    others = found if but is None else found.exclude(pk=but)
    return others.select_related("user").order_by("starts_at").first()


@transaction.atomic
def hand_over(*, shift: int, to: User, now: datetime) -> OnCallShift:
    """From now on somebody else is called: one shift ends and another begins, at the same instant.

    :raises ChangeRefused:
    """
    found = OnCallShift.objects.select_for_update().filter(pk=shift).first()
    if found is None:
        raise ChangeRefused(_("There is no such shift any more."))
    if not as_shift(found).covers(now):
        raise ChangeRefused(_("Only a shift that has begun and is not over can be handed over."))
    if to.pk == found.user_id:
        raise ChangeRefused(_("%(name)s has this shift already.") % {"name": to})
    if not candidates().filter(pk=to.pk).exists():
        words = _("%(name)s cannot be called: that takes active staff with a mail address.")
        raise ChangeRefused(words % {"name": to})
    ends_at, found.ends_at = found.ends_at, now
    if found.starts_at == now:  # it has not lasted an instant
        found.delete()
    else:
        found.save(update_fields=["ends_at"])
    return OnCallShift.objects.create(user=to, level=found.level, starts_at=now, ends_at=ends_at)


def before(shift: OnCallShift) -> User | None:
    """Who had the number until then."""
    last = OnCallShift.objects.filter(
        level=shift.level,
        ends_at__lte=shift.starts_at,
        ends_at__gt=shift.starts_at - timedelta(days=1),
    )
    row = last.exclude(user=shift.user_id).select_related("user").order_by("-ends_at").first()
    return row.user if row else None


def names(people: Iterable[User]) -> str:
    return ", ".join(str(one) for one in people)
