"""What the ground floor keeps about people: the account, the school's books, the office's notes."""

import secrets
from datetime import datetime

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db.models import Q, Value
from django.db.models.functions import Replace
from django.utils.translation import gettext_lazy as _

from enrollment.domain.states import LIVE_ENROLLMENT, EnrollmentStatus, LessonStatus
from enrollment.models import Enrollment, Lesson, LessonChange, Student, Teacher, User
from enrollment.models.people import DELETED_DOMAIN
from enrollment.operations.lessons import move_lesson
from enrollment.operations.mailing import MAX_TRIES
from enrollment.operations.office import move_enrollment
from enrollment.personal import Contributor
from enrollment.queries import personal as queries

DELETED_PERSON = "Deleted person"


def erase_account(*, user: User, now: datetime) -> None:
    """Without a usable password no session's hash fits any more, and no reset link."""
    queries.office_log_about(user).update(object_repr=DELETED_PERSON, change_message="")
    # Also at others: “a notice could not be delivered to …”.
    Enrollment.objects.filter(office_note__contains=user.email).update(
        office_note=Replace("office_note", Value(user.email), Value(DELETED_PERSON))
    )
    EmailAddress.objects.filter(user=user).delete()
    user.groups.clear()
    user.user_permissions.clear()
    user.email = _address_of_nobody(user)
    user.first_name, user.last_name, user.language = "", DELETED_PERSON, ""
    user.is_active = user.is_staff = user.is_superuser = False
    user.last_login, user.deleted_at = None, now
    user.set_unusable_password()
    user.save()


def _address_of_nobody(user: User) -> str:
    """Somebody deleted who was brought in from another school may have the plain one."""
    address = f"deleted-{user.pk}@{DELETED_DOMAIN}"
    if User.objects.filter(email=address).exclude(pk=user.pk).exists():
        return f"deleted-{user.pk}-{secrets.token_hex(4)}@{DELETED_DOMAIN}"
    return address


def erase_from_school(*, user: User, now: datetime) -> None:
    for student in Student.objects.filter(user=user):
        _cancel(student, now=now)
        enrollments = Enrollment.objects.filter(student=student)
        enrollments.update(wished_times="", note="")
        # There is nobody left to be told.
        untold = enrollments.filter(confirmation_sent_at__isnull=True)
        untold.update(confirmation_tries=MAX_TRIES, confirmation_next_at=None)
    Student.objects.filter(user=user).update(zone=settings.TIME_ZONE)
    for teacher in Teacher.objects.filter(user=user):
        # From now on nobody enrolls with them. Students' holds run out by themselves: whoever is
        # just finishing one has locked it, and waits for the course that is locked here.
        teacher.courses.clear()
    Teacher.objects.filter(user=user).update(
        display_name=DELETED_PERSON, bio="", zone=settings.TIME_ZONE
    )


def _cancel(student: Student, *, now: datetime) -> None:
    """What is to come, the way the office cancels it; what was, stays."""
    live = Enrollment.objects.filter(student=student, status__in=LIVE_ENROLLMENT)
    for enrollment in live.order_by("pk"):
        move_enrollment(enrollment=enrollment, status=EnrollmentStatus.CANCELLED, now=now)
    Lesson.objects.filter(student=student, status=LessonStatus.HELD).delete()
    # Also of enrollments that were over already.
    coming = Lesson.objects.filter(
        student=student, status=LessonStatus.PLANNED, period__startswith__gt=now
    )
    for lesson in coming.order_by("pk"):
        move_lesson(lesson=lesson, status=LessonStatus.CANCELLED, now=now)


def erase_lesson_changes(*, user: User, now: datetime) -> None:
    """Who did it stays, as an account without a name."""
    about = Q(lesson__student__user=user) | Q(by=user)
    LessonChange.objects.filter(about).update(reason="")


def erase_office_notes(*, user: User, now: datetime) -> None:
    Enrollment.objects.filter(student__user=user).update(office_note="")


ACCOUNT = Contributor(
    name="account",
    kept=_(
        "Your name, your e-mail addresses, your language, what you may do, and when you logged in last"
    ),
    when_erased=_("Deleted. What stays of the account is a number, and the day it was made."),
    covers=frozenset(
        {
            "account.EmailAddress",
            "account.EmailConfirmation",
            "admin.LogEntry",
            "enrollment.User",
            "enrollment.User_groups",
            "enrollment.User_user_permissions",
        }
    ),
    export=queries.account,
    erase=erase_account,
)
SCHOOL = Contributor(
    name="school",
    kept=_("Your enrollments with their payment references, your lessons, and your profile"),
    when_erased=_(
        "Coming lessons and running enrollments are cancelled; notes, wished times and your profile "
        "are emptied. The enrollments, lessons and payment references themselves stay, without your "
        "name: the school has to keep its books."
    ),
    covers=frozenset(
        {
            "enrollment.Course_teachers",
            "enrollment.Enrollment",
            "enrollment.Lesson",
            "enrollment.Student",
            "enrollment.Teacher",
        }
    ),
    export=queries.school,
    erase=erase_from_school,
)
OFFICE_NOTES = Contributor(
    name="office_notes",
    kept=_("The office’s own notes about your enrollments"),
    when_erased=_("Deleted."),
    covers=frozenset({"enrollment.Enrollment"}),
    export=queries.office_notes,
    erase=erase_office_notes,
    # Written for colleagues, and they may name others (a sister's discount): the office reads them
    # through before it hands them out.
    office_only=True,
)
LESSON_CHANGES = Contributor(
    name="lesson_changes",
    kept=_("When your lessons were booked, moved and cancelled, by whom and why"),
    when_erased=_("The reasons are deleted. The rest stays with the lessons, without your name."),
    covers=frozenset({"enrollment.LessonChange"}),
    export=queries.lesson_changes,
    erase=erase_lesson_changes,
)
# The last one registered is the first one read.
CONTRIBUTORS = (LESSON_CHANGES, OFFICE_NOTES, SCHOOL, ACCOUNT)
