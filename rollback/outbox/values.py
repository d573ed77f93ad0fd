"""What a letter says to one person: looked up when it goes out, so that it is true then."""

from collections.abc import Collection, Mapping
from datetime import datetime
from email.utils import parseaddr
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from enrollment.models import User
from enrollment.queries.people import shown_name, student_of, zone_of
from rollback import quarantine, registry
from rollback.models import EnrollmentDraft, Incident, IncidentEvent, Notification, Sending
from rollback.outbox.remembering import remembered


def of(row: Notification, *, language: str) -> dict[str, str]:
    given = {name: str(value) for name, value in row.values.items()}
    with translation.override(language):
        found = {"school": school()}
        if row.user is not None:
            found["name"] = shown_name(row.user)
            if row.sending.incident is not None and not given:
                found |= _of_affected(row.sending, row.sending.incident, row.user, language)
    return found | given


def school() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[0] or _("The school")


def _of_affected(
    sending: Sending, incident: Incident, user: User, language: str
) -> Mapping[str, str]:
    zone = zone_of(user)
    draft = _draft(user)
    return {
        "feature": remembered(("features", incident.pk, language), lambda: features_of(incident)),
        "since": moment(incident.opened_at, zone=zone),
        "expected": moment(sending.next_news_at, zone=zone) if sending.next_news_at else "",
        "news": str(sending.news.get(language, "")),
        "status_link": absolute("watch:status"),
        **(_with_draft(draft) if draft else _without_draft()),
    }


def features_of(incident: Incident) -> str:
    """The titles of what it holds; of a case, what it is about. In the language that is active."""
    held = incident.latches.values_list("flag_name", flat=True)
    opening = incident.events.filter(kind=IncidentEvent.Kind.OPENED)
    about = [flag for facts in opening.values_list("payload", flat=True) for flag in facts["flags"]]
    found = [registry.get(flag) for flag in dict.fromkeys([*held, *about])]
    return ", ".join(str(feature.title) for feature in found if feature) or incident.title


def moment(at: datetime, *, zone: str) -> str:
    """The hour alone where it is today there."""
    there, today = (timezone.localtime(one, ZoneInfo(zone)) for one in (at, timezone.now()))
    if there.date() == today.date():
        return date_format(there, "H:i")
    return date_format(there, pgettext("date format", "D j F Y, H:i"))


def absolute(name: str, *args: object) -> str:
    return f"{settings.SITE_URL}{reverse(name, args=args)}"


def _draft(user: User) -> EnrollmentDraft | None:
    """The newest that can be gone on with."""
    student = student_of(user)
    if student is None:
        return None
    return remembered(("draft", student.pk), lambda: newest_drafts([student.pk]).get(student.pk))


def newest_drafts(students: Collection[int]) -> dict[int, EnrollmentDraft]:
    """By student, of those who have one that can be gone on with."""
    live = quarantine.live().filter(student__in=students).select_related("course")
    newest = live.only("student_id", "course__slug", "course__title").order_by(
        "student_id", "-saved_at"
    )
    return {draft.student_id: draft for draft in newest.distinct("student_id")}


def _with_draft(draft: EnrollmentDraft) -> Mapping[str, str]:
    return {
        "saved": _("What you typed for %(course)s is saved.") % {"course": draft.course},
        "instead": _("You can finish your enrollment with our standard form."),
        "link": absolute("drafts:continue", draft.course.slug),
    }


def _without_draft() -> Mapping[str, str]:
    return {
        "saved": _("Your courses and lessons are saved as they were."),
        "instead": _("You can enroll and see your lessons on the usual pages."),
        "link": absolute("enrollment:home"),
    }
