"""The outbox: rows with the step, mails from the rows, each once."""

from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from enrollment.models import Course, Student
from rollback import affected, incidents, outbox
from rollback.audit import Actor
from rollback.models import EnrollmentDraft, Incident, IncidentEvent, Notification, Sending
from tests.conftest import make_student

OFFICE = Actor(name="office")
MASTER = "ENABLE_TEACHER_SCHEDULING"


@pytest.fixture
def incident(real_switchboard: Any, student: Student, course: Course) -> Incident:
    now = timezone.now()
    EnrollmentDraft.objects.create(
        student=student, course=course, answers={"note": "mine"}, saved_at=now, started_at=now
    )
    opened = incidents.open_with_latches(
        title="Calendar: errors", flags=[MASTER], actor=OFFICE, cause="test"
    )
    affected.freeze(opened)
    return opened


@pytest.mark.django_db(transaction=True)
def test_whoever_was_enrolling_is_told_once_in_their_language(
    incident: Incident, student: Student
) -> None:
    student.user.language = "de"
    student.user.save()
    prepared = outbox.prepare(incident=incident, letter="enrollment", actor=OFFICE)
    again = outbox.prepare(incident=incident, letter="enrollment", actor=OFFICE, number=1)
    assert prepared == again
    assert outbox.send_due() == {}
    outbox.release(sending=prepared.pk, actor=OFFICE, people=1)
    assert outbox.send_due() == {"sent": 1}
    assert outbox.send_due() == {}
    [sent] = mail.outbox
    assert sent.to == [student.user.email]
    assert "/drafts/violin" in sent.body
    prepared.refresh_from_db()
    assert prepared.state == Sending.State.DONE
    told = incident.events.filter(kind=IncidentEvent.Kind.MAILED).order_by("number")
    assert [event.payload["what"] for event in told] == ["prepared", "released", "done"]
    assert incidents.check_chain(incident) is None


@pytest.mark.django_db(transaction=True)
def test_a_released_sending_is_paused_goes_on_and_stops(
    incident: Incident,
) -> None:
    make_student("other@school.example")
    sending = outbox.prepare(incident=incident, letter="enrollment", actor=OFFICE)
    outbox.release(sending=sending.pk, actor=OFFICE)
    outbox.pause(sending=sending.pk, actor=OFFICE)
    assert outbox.send_due() == {}
    outbox.resume(sending=sending.pk, actor=OFFICE)
    outbox.stop(sending=sending.pk, actor=OFFICE)
    assert outbox.send_due() == {}
    assert Notification.objects.get().state == Notification.State.STOPPED
