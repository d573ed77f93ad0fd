"""Teachers and students. A person's natural key is the mail address."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db.models.functions import Lower

from enrollment.domain.sheets import EMPTY
from enrollment.domain.tables import PersonRow, TeacherRow
from enrollment.importing.desk import Counts, Desk, Touched
from enrollment.models import Student, Teacher, User
from enrollment.models.people import DELETED_DOMAIN
from enrollment.operations.import_school.logins import close_doubtful, dealt_with, teaching
from enrollment.operations.import_school.merge import Merge, counted, same

NAMES = ("first_name", "last_name")

Role = TypeVar("Role", Teacher, Student)
Someone = TypeVar("Someone", bound=PersonRow)


@dataclass(frozen=True, kw_only=True)
class Somebody:
    """was: the name so far, where the file gives a known login another one."""

    user: User
    is_changed: bool
    was: str


class People:
    """Remembers who was named how: one person may stand in both files, but with one name."""

    def __init__(self) -> None:
        self.named: dict[str, PersonRow] = {}

    def save_teachers(self, rows: Sequence[TeacherRow], desk: Desk) -> Counts:
        users = _save_users(rows, desk, group="teacher")
        closed = close_doubtful((one.user for one in users.values()), known=teaching())
        self.named = {row.email: row for row in rows}
        named = [(row, _teacher_fields(row)) for row in rows if row.email in users]
        counts = _save_roles(Teacher, users, named)
        return replace(counts, logins_closed=closed)

    def save_students(self, rows: Sequence[PersonRow], desk: Desk) -> Counts:
        agreed = [row for row in rows if self._check_name(row, desk)]
        users = _save_users(agreed, desk, group="student")
        closed = close_doubtful((one.user for one in users.values()), known=dealt_with())
        named = [(row, _student_fields(row)) for row in agreed if row.email in users]
        counts = _save_roles(Student, users, named)
        return replace(counts, logins_closed=closed)

    def _check_name(self, row: PersonRow, desk: Desk) -> bool:
        """Two names or languages for one login would change to and fro with every import."""
        other = self.named.get(row.email, row)
        where = f"{other.record.file} line {other.record.line}"
        name = f"{other.first_name} {other.last_name}"
        if (other.first_name, other.last_name) != (row.first_name, row.last_name):
            desk.refuse(row.record, "email", f"is {name} in {where}; give both the same name.")
        elif other.language != row.language and _both_say("language", row, other):
            said = f"is “{other.language}” in {where}; give both the same language."
            desk.refuse(row.record, "language", said)
        else:
            return True
        desk.unread[row.record.file].add(row.email)
        return False


def _both_say(column: str, *rows: PersonRow) -> bool:
    return all(row.record.has(column) for row in rows)


def _teacher_fields(row: TeacherRow) -> dict[str, Any]:
    full_name = f"{row.first_name} {row.last_name}"[:120]
    return {
        "display_name": row.display_name or full_name,
        "zone": row.zone,
        "bio": row.bio,
    }


def _student_fields(row: PersonRow) -> dict[str, Any]:
    return {"zone": row.zone or settings.TIME_ZONE}


def _save_users(rows: Sequence[PersonRow], desk: Desk, *, group: str) -> dict[str, Somebody]:
    """By mail address, without those whose names were refused."""
    known = User.objects.annotate(address=Lower("email")).filter(
        address__in=[row.email for row in rows]
    )
    found = {user.email.lower(): user for user in known}
    names = {address: str(user) for address, user in found.items()}
    merge = Merge(User)
    users = {
        row.email: _take_user(merge, found.get(row.email), row)
        for row in rows
        if _may_be_named(row, found.get(row.email), desk)
    }
    merge.write()
    _add_to_group(users.values(), group)
    changed = {id(user) for user in merge.changed}
    return {
        address: Somebody(
            user=user,
            is_changed=id(user) in changed,
            was=names[address] if names.get(address, str(user)) != str(user) else "",
        )
        for address, user in users.items()
    }


def _may_be_named(row: PersonRow, found: User | None, desk: Desk) -> bool:
    if row.email.endswith(f"@{DELETED_DOMAIN}"):
        desk.refuse(row.record, "email", "is of somebody who was deleted; leave this line out.")
        return False
    names = {name: (getattr(found, name, None), getattr(row, name)) for name in NAMES}
    changed = [name for name, (known, wanted) in names.items() if not same(known, wanted)]
    for name in changed:
        if not names[name][1]:
            desk.refuse(row.record, name, EMPTY)
        elif found and desk.guarded and (found.is_staff or found.is_superuser):
            desk.refuse(row.record, name, "belongs to a login of the office; change it there.")
        else:
            continue
        desk.unread[row.record.file].add(row.email)
        return False
    return True


def _take_user(merge: Merge[User], found: User | None, row: PersonRow) -> User:
    wanted = {name: getattr(row, name) for name in (*NAMES, "language")}
    if found is None:
        # Nobody can log in with an imported row: people set a password by the reset mail.
        wanted |= {"email": row.email, "password": make_password(None)}
    return merge.take(found, wanted, row.record)


def _add_to_group(users: Iterable[User], name: str) -> None:
    group, _made = Group.objects.get_or_create(name=name)
    membership = User.groups.through
    inside = set(membership.objects.filter(group_id=group.pk).values_list("user_id", flat=True))
    membership.objects.bulk_create(
        membership(user_id=user.pk, group_id=group.pk) for user in users if user.pk not in inside
    )


def _save_roles(
    model: type[Role],
    users: dict[str, Somebody],
    rows: Sequence[tuple[Someone, dict[str, Any]]],
) -> Counts:
    """A row counts as changed when the user or the role changed."""
    user_ids = [one.user.pk for one in users.values()]
    found = {role.user_id: role for role in model._default_manager.filter(user__in=user_ids)}
    merge = Merge(model)
    roles = []
    for row, wanted in rows:
        user_id = users[row.email].user.pk
        known = found.get(user_id)
        given = wanted if known else wanted | {"user_id": user_id}
        roles.append((merge.take(known, given, row.record), row))
    merge.write()
    new, changed = ({id(role) for role in some} for some in (merge.new, merge.changed))
    touched = [
        Touched(
            line=row.record.line,
            pk=role.pk,
            is_new=id(role) in new,
            was=users[row.email].was,
        )
        for role, row in roles
        if id(role) in new | changed or users[row.email].is_changed
    ]
    return counted(touched, of=len(rows))
