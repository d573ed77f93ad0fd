"""What a verification looks at, of the ground floor: its tables, its original flow, its roles' pages."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.models import Course, Enrollment, Lesson, Message, Student, Teacher, User
from enrollment.operations.people import save_student, save_teacher
from rollback import registry, switchboard
from rollback.domain.verification import ProbeFailed
from rollback.models import EnrollmentDraft
from rollback.probes.in_process import Browser
from rollback.probes.plan import Kept, Plan, Role

# Well before the thirty days after which a draft is deleted.
YOUNG = timedelta(days=20)
NOTE = "This enrollment is a probe, and is undone."


def _user(role: str, **fields: Any) -> User:
    """Made in the transaction that is undone; reserved for ever, so no mail could reach it either."""
    made: User = User.objects.create(
        email=f"{role}-{uuid4().hex}@probe.invalid", first_name="Probe", last_name=role, **fields
    )
    if role in {"staff", "admin"}:
        # The real group, with whatever it may do now.
        made.groups.add(*Group.objects.filter(name=role))
    return made


def _made_student() -> Student:
    student = Student(user=_user("student"), zone=settings.TIME_ZONE)
    save_student(student=student)
    return student


def _made_teacher() -> Teacher:
    teacher = Teacher(user=_user("teacher"), display_name="Probe", zone=settings.TIME_ZONE)
    save_teacher(teacher=teacher)
    return teacher


def _made_course() -> Course:
    """Its own: to enroll in a real one would make real students wait for its row."""
    course = Course.objects.create(title=f"Probe {uuid4().hex}", slug=f"probe-{uuid4().hex}")
    course.teachers.add(_made_teacher())
    return course


def _a_student() -> User:
    """Whoever enrolled last, with real lessons and conversations on the pages; else one is made."""
    found = (
        User.objects.filter(is_active=True, deleted_at=None, student__isnull=False)
        .order_by("-student__enrollments__pk")
        .filter(student__enrollments__isnull=False)
        .first()
    )
    return found or _made_student().user


def _a_teacher() -> User:
    found = (
        User.objects.filter(is_active=True, deleted_at=None, teacher__lessons__isnull=False)
        .order_by("-teacher__lessons__pk")
        .first()
    )
    return found or _made_teacher().user


def walk(browser: Browser) -> list[str]:
    """From the list of courses to the confirmation, by the links and the form a student sees."""
    course, student = _made_course(), _made_student()
    browser.log_in(student.user)
    catalog = f"{reverse('enrollment:catalog')}?q={course.title.split()[1]}"
    page, form = (
        reverse(f"enrollment:{name}", args=[course.slug]) for name in ("course", "enroll")
    )
    _has_link(browser.page(catalog).links(), page, on=catalog)
    _has_link(browser.page(page).links(), _way_in(student.user, course), on=page)
    shown = browser.page(form).form(with_field="wished_times")
    posted = {**shown, "wished_times": "Mondays", "note": NOTE}
    answer = browser.post(form, posted)
    made = Enrollment.objects.filter(student=student, course=course).first()
    if made is None or answer.location != reverse("enrollment:enrolled", args=[made.pk]):
        words = _("The form was sent and answered with %(status)s; nobody was enrolled.")
        raise ProbeFailed(f"{words % {'status': answer.status}} {answer.broke_with}".strip())
    if (made.wished_times, made.note) != ("Mondays", NOTE):
        raise ProbeFailed(_("What was typed into the form is not what was saved."))
    confirmed = browser.page(answer.location)
    if course.title not in confirmed.text:
        raise ProbeFailed(_("The confirmation does not name the course."))
    return [_("list"), _("course"), _("form"), _("sent"), _("confirmed")]


def _way_in(user: User, course: Course) -> str:
    """What the course's page leads to: the original form, or what serves it better while it is on."""
    on = switchboard.flags_on(user)
    better = [
        feature.entries["enroll"]
        for feature in registry.features()
        if feature.flag in on and "enroll" in feature.entries
    ]
    return reverse((better or ["enrollment:enroll"])[-1], args=[course.slug])


def _has_link(links: set[str], wanted: str, *, on: str) -> None:
    if wanted not in links:
        words = _("The page %(page)s has no link to %(link)s.")
        raise ProbeFailed(words % {"page": on, "link": wanted})


def flow_pages() -> tuple[User, Mapping[str, str]]:
    course, student = _made_course(), _made_student()
    paths = {
        name: reverse(f"enrollment:{name}", args=[course.slug]) for name in ("course", "enroll")
    }
    return student.user, {"catalog": reverse("enrollment:catalog"), **paths}


def _lessons() -> QuerySet[Lesson]:
    # A held time runs out by itself.
    return Lesson.objects.exclude(status=Lesson.Status.HELD)


def _drafts() -> QuerySet[EnrollmentDraft]:
    return EnrollmentDraft.objects.filter(
        finished_at=None, quarantined_at=None, saved_at__gt=timezone.now() - YOUNG
    )


OFFICE = (
    "admin:index",
    "admin:enrollment_enrollment_changelist",
    "admin:enrollment_conflict_changelist",
    "admin:enrollment_lesson_changelist",
    # Planning by hand needs no feature.
    "admin:enrollment_lesson_add",
    "admin:enrollment_lesson_week",
    "admin:enrollment_lesson_day",
)
PLAN = Plan(
    apps=("enrollment",),
    kept=(
        Kept(rows=User.objects.all),
        Kept(rows=Student.objects.all, fixed=("user_id",)),
        Kept(rows=Teacher.objects.all, fixed=("user_id",)),
        Kept(rows=Course.objects.all),
        Kept(
            rows=Enrollment.objects.all,
            fixed=("student_id", "course_id", "created_at"),
            filled=("payment_reference",),
        ),
        Kept(rows=_lessons, fixed=("student_id", "course_id")),
        Kept(rows=Message.objects.all, fixed=("enrollment_id", "sent_at")),
        # Students delete theirs, and nothing records it: so only more than a few are a finding.
        Kept(rows=_drafts, may_go=0.1),
    ),
    roles=(
        Role(
            name="student",
            title=gettext_lazy("Student"),
            person=_a_student,
            further=("enrollment:home",),
            pages=(
                "enrollment:catalog",
                "enrollment:my_courses",
                "enrollment:inbox",
                "drafts:unfinished",
            ),
        ),
        Role(
            name="teacher",
            title=gettext_lazy("Teacher"),
            person=_a_teacher,
            further=("enrollment:home",),
            pages=("enrollment:my_lessons", "enrollment:my_students", "enrollment:inbox"),
        ),
        Role(
            name="staff",
            title=gettext_lazy("Staff"),
            person=lambda: _user("staff", is_staff=True),
            further=("enrollment:home",),
            pages=OFFICE,
        ),
        Role(
            name="admin",
            title=gettext_lazy("Admin"),
            person=lambda: _user("admin", is_staff=True),
            further=("enrollment:home",),
            pages=(*OFFICE, "admin:enrollment_user_changelist", "admin:rollback_flag_changelist"),
        ),
    ),
    walk=walk,
    flow_pages=flow_pages,
)
