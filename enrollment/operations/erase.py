"""Erasing a person. The books stay: enrollments, lessons and payment references, of nobody by name."""

from datetime import datetime

import structlog
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from enrollment import personal
from enrollment.domain.states import LIVE_ENROLLMENT, LessonStatus
from enrollment.models import Course, Enrollment, Lesson, Student, Teacher, User
from enrollment.operations.lessons import lock_student
from enrollment.queries.people import language_of

log = structlog.get_logger(__name__)


class EraseRefused(Exception):
    """Why somebody was not erased. Nothing was written."""


class LastSuperuser(EraseRefused):
    """Nobody else could give permissions any more."""


class AskAnAdmin(EraseRefused):
    """Staff and superusers do not erase themselves."""


class StillTeaching(EraseRefused):
    """Others count on this teacher: so many coming lessons and live enrollments."""

    def __init__(self, *, lessons: int, enrollments: int) -> None:
        super().__init__()
        self.lessons = lessons
        self.enrollments = enrollments


def check_can_erase(*, user: User, by: User, now: datetime) -> None:
    """:raises EraseRefused:"""
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    if user.is_superuser and user.is_active and not others.exists():
        raise LastSuperuser
    if by.pk == user.pk and (user.is_staff or user.is_superuser):
        raise AskAnAdmin
    lessons = Lesson.objects.filter(
        teacher__user=user, status=LessonStatus.PLANNED, period__endswith__gt=now
    ).exclude(student__user=user)
    enrollments = Enrollment.objects.filter(teacher__user=user, status__in=LIVE_ENROLLMENT).exclude(
        student__user=user
    )
    counts = {"lessons": lessons.count(), "enrollments": enrollments.count()}
    if any(counts.values()):
        raise StillTeaching(**counts)


@transaction.atomic
def erase_person(*, user: User, by: User, now: datetime) -> None:
    """Anonymous from now on, and logged out everywhere. Again: nothing happens.

    :raises EraseRefused:
    :raises EraseBlocked: (enrollment.personal) nothing was done; trying again helps.
    :raises OutOfReach: (enrollment.personal) nothing was done; the office has to look.
    """
    person = _lock(user)
    if person.deleted_at is not None:
        return
    check_can_erase(user=person, by=by, now=now)
    address = person.email
    # Who deletes themselves has read the page that asked them; the office's page is the office's.
    language = language_of(person, instead=get_language() if by.pk == person.pk else None)
    with personal.within_reach(erasing=True):
        for part in personal.to_erase():
            part.erase(user=person, now=now)
    log.info("person.erased", person=person.pk, by=by.pk)
    # Robust and after the commit: whatever the mail server says, the person is erased by then.
    transaction.on_commit(
        lambda: _confirm_by_mail(address, language, person=person.pk), robust=True
    )


def _lock(user: User) -> User:
    """User, student, courses, teacher, in this order; as they are now, not as a page showed them.

    All superusers at once, or the last two could erase each other. The courses, because an
    enrollment with this teacher that is just being made holds its course.
    """
    superusers = Q(is_superuser=True, is_active=True)
    users = User.objects.select_for_update(no_key=True).filter(Q(pk=user.pk) | superusers)
    person = next(one for one in users.order_by("pk") if one.pk == user.pk)
    for student in Student.objects.filter(user=person):
        lock_student(student=student)
    for teacher in Teacher.objects.filter(user=person):
        courses = teacher.courses.through.objects.filter(teacher=teacher).values("course")
        list(Course.objects.select_for_update(no_key=True).filter(pk__in=courses).order_by("pk"))
        Teacher.objects.select_for_update(no_key=True).get(pk=teacher.pk)
    return person


def _confirm_by_mail(address: str, language: str, *, person: int) -> None:
    """Once: the address is kept nowhere, so that nobody could try again later."""
    with translation.override(language):
        mail = EmailMessage(
            subject=_("Your account is deleted"),
            body=render_to_string("enrollment/mail/deleted.txt"),
            to=[address],
        )
    try:
        mail.send()
    # SMTP's errors are OSErrors. Their words may repeat the address, so only their kind is logged.
    except (OSError, ValueError) as error:
        log.warning("person.erased_untold", person=person, error=type(error).__name__)
