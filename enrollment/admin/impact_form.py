"""What becomes of each lesson that a change hits: one choice for all, and another where it is needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from enrollment.admin.conflict_form import changed_meanwhile, stamp
from enrollment.admin.ready import can_be_told, message_for
from enrollment.admin.words import day_and_time
from enrollment.models import Lesson, Teacher
from enrollment.operations.impact import Hit
from enrollment.operations.settling import Decision, Place
from enrollment.queries.clashes import lesson_length
from enrollment.queries.elsewhere import free_elsewhere
from enrollment.queries.substitutes import substitutes_for

AS_ALL, KEEP, NEAREST, CREDIT, CANCEL = "", "keep", "nearest", "credit", "cancel"
TO, SUBSTITUTE = "to:", "teacher:"
FOR_ALL = (
    (KEEP, _("Leave them as they are")),
    (NEAREST, _("Move each to the nearest free time")),
    (CREDIT, _("Cancel them, each with a make-up credit")),
    (CANCEL, _("Cancel them without a credit")),
)
OFFERS = 4
SUBSTITUTES = 3
# The others are listed, and go the way of all; each of these costs questions of its own.
IN_DETAIL = 30

Span = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A lesson, why it stands wrong, and its field if it has one. stamp: as the lesson is now, whatever
    was posted: the page that comes back shows it as it is."""

    lesson: Lesson
    why: str
    when: str
    field: Any
    seen: Any
    stamp: str


class ImpactForm(forms.Form):
    """hits: as they are now, after the change that is not saved yet."""

    BEGINS = "impact-"

    send = forms.BooleanField(
        label=_("Tell each student what becomes of the lesson"),
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
        help_text=_(
            "In the conversation of the enrollment, with your name: which lesson it is, what becomes "
            "of it, and whom to answer. A mail tells the student that it is there."
        ),
    )
    extra = forms.CharField(
        label=_("And say to all of them"),
        required=False,
        max_length=1000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("Stands above the office's name. May be empty."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Kept in each lesson's history, where only the office reads it."),
    )

    def __init__(
        self, data: QueryDict | None = None, *, hits: Sequence[Hit], now: datetime
    ) -> None:
        super().__init__(data, prefix="impact")
        self.hits, self.now = hits, now
        self._free: dict[int, Sequence[datetime]] = {}
        self.fields["all"] = forms.ChoiceField(
            label=_("For all of them"), choices=FOR_ALL, initial=KEEP, widget=forms.RadioSelect
        )
        for hit in hits:
            pk = hit.lesson.pk
            self.fields[f"seen-{pk}"] = forms.CharField(widget=forms.HiddenInput, required=False)
        for hit in hits[:IN_DETAIL]:
            self.fields[f"lesson-{hit.lesson.pk}"] = forms.ChoiceField(
                label=str(hit.lesson.student),
                choices=self._choices(hit),
                initial=AS_ALL,
                required=False,
                widget=forms.RadioSelect,
            )

    @classmethod
    def named(cls, data: QueryDict) -> tuple[set[int], set[int]]:
        """Lessons and substitutes that are named in what was posted, by id: to be locked."""
        begins = f"{cls.BEGINS}lesson-"
        seen = f"{cls.BEGINS}seen-"
        lessons = {name.removeprefix(seen) for name in data if name.startswith(seen)}
        teachers = {
            str(value).removeprefix(SUBSTITUTE)
            for name, value in data.items()
            if name.startswith(begins) and str(value).startswith(SUBSTITUTE)
        }
        return _keys(lessons), _keys(teachers)

    def rows(self) -> Iterator[Row]:
        for hit in self.hits:
            name = f"lesson-{hit.lesson.pk}"
            yield Row(
                lesson=hit.lesson,
                why=hit.why,
                when=day_and_time(hit.lesson.starts_at, hit.lesson.teacher.zone),
                field=self[name] if name in self.fields else None,
                seen=self[f"seen-{hit.lesson.pk}"],
                stamp=stamp(hit.lesson),
            )

    def decisions(self) -> dict[int, Decision | None]:
        """Once it is valid."""
        return self._decisions

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return answers
        self._decisions: dict[int, Decision | None] = {}
        self._taken: list[tuple[int, int, Span]] = []
        # Those with a time of their own first: what all others get must leave it to them.
        order = sorted(self.hits, key=lambda hit: self._choice(hit.lesson) == NEAREST)
        for hit in order:
            if answers.get(f"seen-{hit.lesson.pk}") != stamp(hit.lesson):
                self._refuse(hit.lesson, changed_meanwhile())
            else:
                self._decisions[hit.lesson.pk] = self._decide(hit)
        return answers

    def _choice(self, lesson: Lesson) -> str:
        own: str = self.cleaned_data.get(f"lesson-{lesson.pk}") or AS_ALL
        return own or str(self.cleaned_data["all"])

    def _decide(self, hit: Hit) -> Decision | None:
        lesson, choice = hit.lesson, self._choice(hit.lesson)
        if choice == KEEP:
            return None
        decision = Decision(lesson=lesson, credit=choice == CREDIT)
        if choice not in (CREDIT, CANCEL):
            place = self._place(hit, choice)
            if place is None:
                return None
            decision = replace(decision, place=place)
        return self._with_message(decision)

    def _place(self, hit: Hit, choice: str) -> Place | None:
        """None: there is none, and the field says so."""
        lesson = hit.lesson
        if choice.startswith(SUBSTITUTE):
            teacher = Teacher.objects.get(pk=choice.removeprefix(SUBSTITUTE))
            return self._take(lesson, teacher, lesson.starts_at)
        if choice.startswith(TO):
            wanted = datetime.fromisoformat(choice.removeprefix(TO))
            place = self._take(lesson, lesson.teacher, wanted)
            if place is None:
                self._refuse(lesson, gettext("Two of these lessons would meet there."))
            return place
        for start in self._offers(hit):
            if place := self._take(lesson, lesson.teacher, start):
                return place
        self._refuse(lesson, gettext("No free time is left nearby. Please choose something else."))
        return None

    def _take(self, lesson: Lesson, teacher: Teacher, start: datetime) -> Place | None:
        """None: another of these lessons goes there."""
        end = start + lesson_length(lesson)
        before, after = (
            timedelta(minutes=one) for one in (lesson.buffer_before, lesson.buffer_after)
        )
        mine = start - before, end + after
        for their_teacher, their_student, span in self._taken:
            meets = span[0] < mine[1] and mine[0] < span[1]
            if meets and (their_teacher == teacher.pk or their_student == lesson.student_id):
                return None
        self._taken.append((teacher.pk, lesson.student_id, mine))
        there = timezone.localtime(start, ZoneInfo(teacher.zone))
        return Place(teacher=teacher, on=there.date(), at=there.time())

    def _with_message(self, decision: Decision) -> Decision:
        answers = self.cleaned_data
        if not answers["send"] or not can_be_told(decision.lesson, now=self.now):
            return decision
        extra = answers["extra"].replace("\r\n", "\n")
        return replace(decision, message=message_for(decision, extra=extra))

    def _refuse(self, lesson: Lesson, why: str) -> None:
        name = f"lesson-{lesson.pk}"
        if name in self.fields:
            self.add_error(name, why)
        else:
            self.add_error("all", f"{lesson.student}, {lesson}: {why}")

    # -------------------------------------------------------------- choices
    def _choices(self, hit: Hit) -> list[tuple[str, Any]]:
        return [
            (AS_ALL, _("As for all")),
            (KEEP, _("Leave it as it is")),
            *self._times(hit),
            *self._substitutes(hit),
            (CREDIT, _("Cancel it with a make-up credit")),
            (CANCEL, _("Cancel it without a credit")),
        ]

    def _offers(self, hit: Hit) -> Sequence[datetime]:
        pk = hit.lesson.pk
        if pk not in self._free:
            self._free[pk] = free_elsewhere(lesson=hit.lesson, detector=hit.detector, now=self.now)
        return self._free[pk]

    def _times(self, hit: Hit) -> Iterator[tuple[str, str]]:
        starts = list(self._offers(hit)[:OFFERS])
        chosen = self._chosen(hit.lesson)
        if chosen.startswith(TO) and (start := _moment(chosen.removeprefix(TO))):
            # One that was offered a moment ago; whether it is free still is asked when it is taken.
            starts.append(start)
        for start in sorted(set(starts)):
            words = day_and_time(start, hit.lesson.teacher.zone)
            yield f"{TO}{start.astimezone(UTC).isoformat()}", words

    def _substitutes(self, hit: Hit) -> Iterator[tuple[str, str]]:
        """Those of the course, in their hours where somebody knows these."""
        able = substitutes_for(hit.lesson, now=self.now).filter(courses=hit.lesson.course_id)
        words = gettext("%(teacher)s, at the same time")
        for teacher in able[:SUBSTITUTES]:
            if (
                self._is_there(hit, teacher)
                or self._chosen(hit.lesson) == f"{SUBSTITUTE}{teacher.pk}"
            ):
                yield f"{SUBSTITUTE}{teacher.pk}", words % {"teacher": teacher}

    def _is_there(self, hit: Hit, teacher: Teacher) -> bool:
        offers = hit.detector.offers
        known = offers(lesson=hit.lesson, teacher=teacher, now=self.now) if offers else None
        return known is None or hit.lesson.starts_at in known

    def _chosen(self, lesson: Lesson) -> str:
        return str(self.data.get(f"{self.BEGINS}lesson-{lesson.pk}", ""))

    @cached_property
    def others(self) -> int:
        return max(0, len(self.hits) - IN_DETAIL)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _keys(texts: set[str]) -> set[int]:
    return {int(text) for text in texts if text.isdecimal() and len(text) < 19}
