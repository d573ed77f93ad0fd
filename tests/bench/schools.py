"""Schools of their own on the benchmark's server, each a copy of the empty one, made before anybody
is connected to it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from enrollment.models import Course, Student, Teacher, User


def copy_empty(database_url: str, *, template: str, names: Iterable[str]) -> None:
    """Nobody may be connected to `template` while it is copied."""
    address = psycopg.conninfo.make_conninfo(database_url, dbname="postgres")
    with psycopg.connect(address, autocommit=True) as made:
        for name in names:
            made.execute(f"CREATE DATABASE {name} TEMPLATE {template}")


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Inside, the default connection is that school's."""
    usual = connections["default"]
    connections["default"] = _opened.setdefault(name, usual.copy("default"))
    connections["default"].settings_dict["NAME"] = name
    try:
        yield
    finally:
        connections["default"] = usual


_opened: dict[str, BaseDatabaseWrapper] = {}


def people(
    course: Course, *, teachers: int, students: int, zone: str
) -> tuple[list[Teacher], list[Student]]:
    """All of them teach the course."""
    users = User.objects.bulk_create(
        User(email=f"{course.slug}-{n}@school.example", password="!")
        for n in range(teachers + students)
    )
    taught = Teacher.objects.bulk_create(
        Teacher(user=user, display_name=user.email, zone=zone) for user in users[:teachers]
    )
    course.teachers.set(taught)
    return taught, Student.objects.bulk_create(
        Student(user=user, zone="UTC") for user in users[teachers:]
    )
