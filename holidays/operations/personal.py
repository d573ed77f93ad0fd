"""What closures say about people: where a teacher lives, when one teacher is closed for, who imported."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from enrollment.models import User
from enrollment.personal import Contributor
from enrollment.queries.people import teacher_of
from holidays.models import Holiday, HolidayImport, TeacherRegion


def export(*, user: User) -> Mapping[str, Any]:
    imports = HolidayImport.objects.filter(made_by=user).select_related("source")
    found: dict[str, Any] = {"imports": [_import(one) for one in imports.order_by("made_at")]}
    if (teacher := teacher_of(user)) is None:
        return found
    lives = TeacherRegion.objects.filter(teacher=teacher).select_related("region").first()
    closed = Holiday.objects.filter(teachers=teacher)
    return found | {
        "region": str(lives.region) if lives else None,
        "closures_of_yours": [_closure(one) for one in closed],
    }


def erase(*, user: User, now: datetime) -> None:
    """What was entered for this teacher alone goes with its name and note; what others share, without
    them. Who made an import stays, as an account without a name."""
    TeacherRegion.objects.filter(teacher__user=user).delete()
    links = Holiday.teachers.through.objects
    others = links.exclude(teacher__user=user).values("holiday")
    theirs = Holiday.objects.filter(scope=Holiday.Scope.TEACHERS, teachers__user=user)
    theirs.exclude(pk__in=others).delete()
    links.filter(teacher__user=user).delete()


def _import(one: HolidayImport) -> dict[str, Any]:
    return {"made_at": one.made_at, "source": str(one.source)}


def _closure(one: Holiday) -> dict[str, Any]:
    return {"name": one.name, "first_day": one.first_on, "last_day": one.last_on, "note": one.note}


def concerns(*, user: User) -> bool:
    return teacher_of(user) is not None


CLOSURES = Contributor(
    name="closures",
    kept=_("The region whose holidays count for you, and closures that were entered for you"),
    when_erased=_("Deleted."),
    covers=frozenset(
        {"holidays.TeacherRegion", "holidays.Holiday_teachers", "holidays.HolidayImport"}
    ),
    export=export,
    erase=erase,
    concerns=concerns,
)
