"""Who somebody is to the school. Asked several times a page; whoever is logged in comes with both
answers (`enrollment/known.py`), and of everybody else Django remembers them."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet, Value
from django.db.models.functions import Lower
from django.utils import timezone

from enrollment.models import Student, Teacher, User


def student_of(user: Any) -> Student | None:
    return getattr(user, "student", None) if user.is_authenticated else None


def teacher_of(user: Any) -> Teacher | None:
    return getattr(user, "teacher", None) if user.is_authenticated else None


def know_as(user: User) -> None:
    """Asked for together with the user (`select_related("student", "teacher")`), and so not once more."""
    for name in ("student", "teacher"):
        person = getattr(user, name, None)
        if person is not None:
            person.user = user
        setattr(user, f"known_{name}", person)


def teachers_here() -> QuerySet[Teacher]:
    """Whom one can choose; who is deleted stays in the books only."""
    return Teacher.objects.filter(user__deleted_at__isnull=True)


def zone_of(user: Any) -> str:
    """The clock somebody lives by; the school's own for everybody else."""
    person = student_of(user) or teacher_of(user)
    return person.zone if person else timezone.get_default_timezone_name()


def language_of(user: User, *, instead: str | None = None) -> str:
    """In which mails are written to them. instead: where they have never chosen one; else the school's."""
    known = {code for code, _name in settings.LANGUAGES}
    return user.language if user.language in known else instead or settings.LANGUAGE_CODE


def shown_name(user: User) -> str:
    """As students and teachers see each other: a teacher by the name chosen for that."""
    teacher: Teacher | None = getattr(user, "teacher", None)
    return teacher.display_name if teacher else str(user)


def at_address(rows: QuerySet[Any], address: str) -> QuerySet[Any]:
    """Those with this mail address, however it is written. By the index on lower(email), which `iexact`,
    that compares upper(email), does not use."""
    found: QuerySet[Any] = rows.alias(lower_email=Lower("email"))
    return found.filter(lower_email=Lower(Value(address)))
