"""Who somebody is to the school, written down: the role, and the group that goes with it."""

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction

from enrollment.models import Student, Teacher, User


class UnknownLanguage(Exception):
    """The school has none of this name. Nothing was written."""


def choose_language(*, user: User, language: str) -> None:
    """:raises UnknownLanguage: none that the school has"""
    if language not in dict(settings.LANGUAGES):
        raise UnknownLanguage(language)
    if user.language != language:
        User.objects.filter(pk=user.pk, deleted_at=None).update(language=language)
        user.language = language


@transaction.atomic
def save_teacher(*, teacher: Teacher) -> None:
    teacher.save()
    _join(teacher.user, "teacher")


@transaction.atomic
def save_student(*, student: Student) -> None:
    student.save()
    _join(student.user, "student")


def _join(user: User, name: str) -> None:
    group, _made = Group.objects.get_or_create(name=name)
    user.groups.add(group)
