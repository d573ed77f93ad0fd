"""What becomes of each lesson of a conflict, and what its student is told."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from enrollment import detectors
from enrollment.admin.fields import ClockField, DayField
from enrollment.admin.ready import can_be_told, message_for, starts_at
from enrollment.admin.words import day_and_time, name_clash, no_such_time
from enrollment.domain.clock import NoSuchTime, instant
from enrollment.domain.messages import LONGEST
from enrollment.models import Conflict, Lesson, Teacher
from enrollment.operations.settling import Decision, Place
from enrollment.queries.clashes import clashing_lesson, lesson_length
from enrollment.queries.elsewhere import free_elsewhere
from enrollment.queries.substitutes import substitutes_for

KEEP, MOVE, SUBSTITUTE, CANCEL, CREDIT = "keep", "move", "substitute", "cancel", "credit"
CHOICES = (
    (KEEP, _("Leave it as it is")),
    (MOVE, _("Move it")),
    (SUBSTITUTE, _("Another teacher, at the same time")),
    (CREDIT, _("Cancel it with a make-up credit")),
    (CANCEL, _("Cancel it without a credit")),
)


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_(
            "Kept with the conflict and in the lessons' history. Needed where everything stays."
        ),
    )


class DecisionForm(forms.Form):
    """One lesson. seen: what the page showed, so that nobody decides about what has changed."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    what = forms.ChoiceField(choices=CHOICES, initial=KEEP, widget=forms.RadioSelect)
    to = forms.ChoiceField(label=_("Free for both"), required=False, widget=UnfoldAdminSelectWidget)
    on = DayField(label=_("or on"), required=False)
    at = ClockField(label=_("at"), required=False)
    teacher = forms.ModelChoiceField(
        label=_("Free then"),
        required=False,
        queryset=Teacher.objects.none(),
        widget=UnfoldAdminSelectWidget,
        empty_label=_("Choose a teacher"),
    )

    def __init__(
        self, data: Any = None, *, lesson: Lesson, conflict: Conflict, now: datetime
    ) -> None:
        super().__init__(data, prefix=f"lesson-{lesson.pk}")
        self.lesson, self.now = lesson, now
        self.place: Place | None = None
        offers = _offers(lesson, conflict, now=now)
        # One that was offered a moment ago may be chosen still; whether it is free is asked below.
        chosen = data.get(f"{self.prefix}-to") if data is not None else ""
        if chosen and _moment(chosen) and chosen not in dict(offers):
            start = _moment(chosen)
            offers.append((chosen, day_and_time(start, lesson.teacher.zone) if start else chosen))
        to: Any = self.fields["to"]
        to.choices = [("", _("Choose a time")), *offers]
        teacher: Any = self.fields["teacher"]
        teacher.queryset = substitutes_for(lesson, now=now)
        teacher.label_from_instance = _name_of_substitute
        self.fields["seen"].initial = stamp(lesson)

    @property
    def decision(self) -> Decision | None:
        """None: it stays."""
        what = self.cleaned_data["what"]
        if what == KEEP:
            return None
        return Decision(lesson=self.lesson, place=self.place, credit=what == CREDIT)

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        what = answers.get("what")
        if what != KEEP and answers.get("seen") != stamp(self.lesson):
            self.add_error("what", changed_meanwhile())
        elif what == MOVE and not self.errors:
            self._read_move(answers)
        elif what == SUBSTITUTE and not self.errors:
            self._read_substitute(answers)
        return answers

    def _read_move(self, answers: Mapping[str, Any]) -> None:
        teacher = self.lesson.teacher
        if answers.get("on") or answers.get("at"):
            for name in ("on", "at"):
                if not answers.get(name):
                    self.add_error(name, gettext("A day and a time, please: both, or none."))
            if not self.errors:
                self._take("at", teacher, answers["on"], answers["at"])
        elif answers.get("to"):
            self._take("to", teacher, *_local(_moment(answers["to"]), teacher.zone))
        else:
            self.add_error("to", gettext("Choose where it moves to, or give a day and a time."))

    def _read_substitute(self, answers: Mapping[str, Any]) -> None:
        teacher = answers.get("teacher")
        if teacher is None:
            self.add_error("teacher", gettext("Choose who teaches instead."))
        else:
            self._take("teacher", teacher, *_local(self.lesson.starts_at, teacher.zone))

    def _take(self, name: str, teacher: Teacher, on: date, at: time) -> None:
        try:
            start = instant(on=on, at=at, zone=teacher.zone)
        except NoSuchTime as error:
            self.add_error(name, no_such_time(error, teacher))
            return
        clash = clashing_lesson(
            teacher=teacher,
            student=self.lesson.student,
            starts_at=start,
            ends_at=start + lesson_length(self.lesson),
            now=self.now,
            apart_from=self.lesson,
        )
        if clash:
            self.add_error(name, name_clash(clash, teacher))
        else:
            self.place = Place(teacher=teacher, on=on, at=at)


class MessageForm(forms.Form):
    """ready: what was proposed; what was typed beside it is kept when the decision changes."""

    send = forms.BooleanField(
        label=_("Send this to the student"), required=False, widget=UnfoldBooleanWidget
    )
    message = forms.CharField(
        label=_("Message"),
        required=False,
        max_length=LONGEST,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 9}),
        help_text=_(
            "It stands in the conversation of this enrollment, with your name, and a mail tells "
            "the student that it is there."
        ),
    )
    ready = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, decision: Decision, now: datetime) -> None:
        self.decision, self.prefix_of = decision, f"tell-{decision.lesson.pk}"
        self.open = can_be_told(decision.lesson, now=now)
        super().__init__(data, prefix=self.prefix_of)
        if not self.open:
            self.fields["send"].disabled = True
            self.fields["send"].initial = False
        self.words = message_for(decision)

    @classmethod
    def proposed(cls, data: Any, *, decision: Decision, now: datetime) -> "MessageForm":
        form = cls(decision=decision, now=now)
        typed = _lines(data.get(f"{form.prefix_of}-message", ""))
        before = _lines(data.get(f"{form.prefix_of}-ready", ""))
        text = form.words
        if typed and typed != before:
            text = typed if before == form.words else f"{form.words}\n\n{typed}"
        sends = f"{form.prefix_of}-send" in data if before else True
        form.initial = {"send": sends and form.open, "message": text, "ready": form.words}
        return form

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        if answers.get("send") and not answers.get("message", "").strip() and not self.errors:
            self.add_error(
                "message", gettext("Write what the student shall read, or send nothing.")
            )
        return answers

    @property
    def complete(self) -> Decision:
        sends = self.open and self.cleaned_data["send"]
        return Decision(
            lesson=self.decision.lesson,
            place=self.decision.place,
            credit=self.decision.credit,
            message=_lines(self.cleaned_data["message"]).strip() if sends else "",
        )


def stamp(lesson: Lesson) -> str:
    return f"{lesson.status}-{lesson.teacher_id}-{int(lesson.starts_at.timestamp())}"


def changed_meanwhile() -> str:
    return gettext("This lesson has changed meanwhile. Please look at it once more.")


def decided(decision: Decision) -> str:
    """What will be done, before it is."""
    if decision.place is None and decision.credit:
        return gettext("It is cancelled, and the school owes it.")
    if decision.place is None:
        return gettext("It is cancelled.")
    start = starts_at(decision)
    return gettext("It is then on %(when)s, with %(teacher)s.") % {
        "when": day_and_time(start, decision.place.teacher.zone) if start else "",
        "teacher": decision.place.teacher,
    }


def _offers(lesson: Lesson, conflict: Conflict, *, now: datetime) -> list[tuple[str, str]]:
    starts = free_elsewhere(lesson=lesson, detector=detectors.get(conflict.kind), now=now)
    zone = lesson.teacher.zone
    return [(start.astimezone(UTC).isoformat(), day_and_time(start, zone)) for start in starts]


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _local(moment: datetime | None, zone: str) -> tuple[date, time]:
    there = timezone.localtime(moment, ZoneInfo(zone))
    return there.date(), there.time()


def _name_of_substitute(teacher: Any) -> str:
    if teacher.teaches_it:
        return gettext("%(teacher)s (teaches this course)") % {"teacher": teacher}
    return str(teacher)


def _lines(text: str) -> str:
    """A browser sends line ends of its own."""
    return text.replace("\r\n", "\n")
