"""What was prepared, is going and has gone to an incident's people, in figures and in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, F, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from enrollment.models import User
from enrollment.queries.people import language_of, shown_name
from rollback import sendings
from rollback.console import event_words
from rollback.console.letter_values import filling
from rollback.domain.letters import BY_KEY, LetterKey
from rollback.domain.sendings import OFF
from rollback.models import Incident, MessageTemplate, Notification, Sending
from rollback.outbox import values
from rollback.words import Gap, Rendered, Words, render_words, words_at

State = Notification.State
TOGETHER = ("sending__incident", "user__student", "user__teacher")

# Reason and language → people, and for '' each of them once. The language as `language_of` finds it.
GRID = """
    WITH people AS (
        SELECT n.id, n.sending_id, n.reasons,
               CASE WHEN u.language = ANY(%(known)s) THEN u.language ELSE %(usual)s END AS language
          FROM rollback_notification n JOIN enrollment_user u ON u.id = n.user_id
         WHERE n.sending_id = ANY(%(sendings)s)
    )
    SELECT sending_id, reason, language, count(*), min(id)
      FROM people, unnest(reasons || ''::varchar) AS reason GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Before anything goes out: how many for each reason, in each language. Somebody may be there for
    several reasons; the last row has each of them once."""

    languages: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int], int]]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """figures: in words, how many are in which state. done: of `people`, as far as nothing waits for them
    any more. may: what can be done now."""

    sending: Sending
    title: str
    state: str
    people: int
    done: int
    bounced: int
    dead: int
    figures: Sequence[str]
    reasons: str
    grid: Grid | None = None
    may: Sequence[str] = field(default_factory=tuple)

    @property
    def percent(self) -> int:
        return 100 * self.done // self.people if self.people else 0

    @property
    def words(self) -> str:
        """As it is announced: not with each mail."""
        return f"{self.title}: {self.state}."


MAY: Mapping[str, Sequence[str]] = {
    Sending.State.HELD: ("release", "stop"),
    Sending.State.GOING: ("pause", "stop"),
    Sending.State.PAUSED: ("resume", "stop"),
}


def shown(incident: Incident) -> list[Shown]:
    """The newest first; as many queries for many people as for few."""
    found = list(sendings.of(incident))
    counted = _counted(found)
    grids = _grids([one for one in found if one.state == Sending.State.HELD])
    return [_shown(one, counted.get(one.pk, {}), grids.get(one.pk)) for one in found]


def shown_one(sending: Sending) -> Shown:
    return _shown(
        sending, _counted([sending]).get(sending.pk, {}), _grids([sending]).get(sending.pk)
    )


def _counted(found: Iterable[Sending]) -> dict[int, dict[str, int]]:
    """Sending → state → how many, and those that came back as "bounced"."""
    rows = Notification.objects.filter(sending__in=[one.pk for one in found]).order_by()
    counted: dict[int, dict[str, int]] = {}
    for row in rows.values("sending", "state").annotate(many=Count("pk"), back=Count("bounced_at")):
        states = counted.setdefault(row["sending"], {"bounced": 0})
        states[row["state"]] = row["many"]
        states["bounced"] += row["back"]
    return counted


def _shown(sending: Sending, counted: Mapping[str, int], grid: Grid | None) -> Shown:
    states = {name: number for name, number in counted.items() if name != "bounced"}
    people = sum(states.values())
    waiting = states.get(State.WAITING, 0) + states.get(State.HELD, 0)
    return Shown(
        sending=sending,
        title=title(sending.letter, sending.number),
        state=str(sending.get_state_display()),
        people=people,
        done=people - waiting,
        bounced=counted.get("bounced", 0),
        dead=states.get(State.DEAD, 0),
        figures=_figures(states, counted.get("bounced", 0)),
        reasons=reasons_of(sending),
        grid=grid,
        may=MAY.get(sending.state, ()),
    )


def title(letter: str, number: int) -> str:
    words = sendings.title(letter)
    told = {"letter": words, "number": number}
    return _("%(letter)s, update %(number)s") % told if number > 1 else words


def _figures(states: Mapping[str, int], bounced: int) -> list[str]:
    words = {
        State.SENT: _("%s sent"),
        State.WAITING: _("%s waiting"),
        State.HELD: _("%s held back"),
        State.NOT_NEEDED: _("%s not needed any more"),
        State.DEAD: _("%s given up"),
        State.STOPPED: _("%s stopped"),
    }
    found = [text % states[state] for state, text in words.items() if states.get(state)]
    return [*found, *([_("%s came back") % bounced] if bounced else [])]


def reasons_of(sending: Sending) -> str:
    known = event_words.reason_choices()
    return ", ".join(text for key, text in known if key in sending.reasons)


def people_words(number: int) -> str:
    return ngettext("%(number)s person", "%(number)s people", number) % {"number": number}


def states_in_words(found: Sequence[Shown]) -> str:
    return " ".join(one.words for one in found)


# ---------------------------------------------------------------- before it goes out


def _grid_rows(found: Sequence[Sending]) -> list[tuple[int, str, str, int, int]]:
    asked: dict[str, Any] = {
        "sendings": [one.pk for one in found],
        "known": [code for code, _name in settings.LANGUAGES],
        "usual": settings.LANGUAGE_CODE,
    }
    with connection.cursor() as cursor:
        cursor.execute(GRID, asked)
        return list(cursor.fetchall())


def _grids(found: Sequence[Sending]) -> dict[int, Grid]:
    if not found:
        return {}
    counted: dict[int, dict[tuple[str, str], int]] = {}
    for sending, reason, language, number, _first in _grid_rows(found):
        counted.setdefault(sending, {})[reason, language] = number
    return {sending: _grid(numbers) for sending, numbers in counted.items()}


def _grid(numbers: Mapping[tuple[str, str], int]) -> Grid:
    names = dict(settings.LANGUAGES)
    codes = sorted({language for _reason, language in numbers}, key=list(names).index)
    rows = [*event_words.reason_choices(), ("", _("Each of them once"))]
    told = [
        (text, [numbers.get((reason, code), 0) for code in codes])
        for reason, text in rows
        if any((reason, code) in numbers for code in codes)
    ]
    return Grid(
        languages=[_(names[code]) for code in codes],
        rows=[(text, many, sum(many)) for text, many in told],
    )


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The letter as one of them would get it now. gap: why it could not be written. name: empty where
    nobody's is to be seen."""

    reasons: Sequence[str]
    code: str
    language: str
    name: str
    subject: str = ""
    text: str = ""
    gap: str = ""
    # Where the letter has its own HTML: which row, in which version.
    row: int = 0
    version: int = 0


def samples(sending: Sending, *, versions: Mapping[str, int], sees_people: bool) -> list[Sample]:
    """One for each reason and language that there is; the same person where they are there for several.

    sees_people: else nobody's name and course is in it: what is said to each is a sample.
    """
    found: dict[int, tuple[str, list[str]]] = {}
    for _sending, reason, language, _number, first in _grid_rows([sending]):
        if reason:
            found.setdefault(first, (language, []))[1].append(reason)
    order = list(dict(event_words.reason_choices()))
    if sees_people:
        rows = Notification.objects.select_related(*TOGETHER).in_bulk(list(found))
        made = [
            _sample(row, user, found[pk][1], versions)
            for pk, row in rows.items()
            if (user := row.user) is not None
        ]
    else:
        made = [
            _of_nobody(sending, language, reasons, versions) for language, reasons in found.values()
        ]
    codes = [code for code, _name in settings.LANGUAGES]
    return sorted(made, key=lambda one: (codes.index(one.code), order.index(one.reasons[0])))


def _sample(
    row: Notification, user: User, reasons: Sequence[str], versions: Mapping[str, int]
) -> Sample:
    code = language_of(user)
    given = values.of(row, language=code)
    these = words_at(row.sending.letter, code, versions[code])
    made = _drawn(row.sending, code, reasons, given=given, name=shown_name(user), these=these)
    shows_html = these.html.strip() and not made.gap
    return replace(made, row=row.pk, version=these.version) if shows_html else made


def _of_nobody(
    sending: Sending, code: str, reasons: Sequence[str], versions: Mapping[str, int]
) -> Sample:
    """With what is the same for all of them; hours are on the school's clock."""
    given = dict(filling(BY_KEY[sending.letter], language=code, incident=sending.incident).values)
    with translation.override(code):
        zone = timezone.get_default_timezone_name()
        next_at = sending.next_news_at
        given["expected"] = values.moment(next_at, zone=zone) if next_at else ""
    given["news"] = str(sending.news.get(code, ""))
    these = words_at(sending.letter, code, versions[code])
    return _drawn(sending, code, reasons, given=given, name="", these=these)


def _drawn(
    sending: Sending,
    code: str,
    reasons: Sequence[str],
    *,
    given: Mapping[str, str],
    name: str,
    these: Words,
) -> Sample:
    known = dict(event_words.reason_choices())
    facts: dict[str, Any] = {
        "reasons": [key for key in known if key in reasons],
        "code": code,
        "language": _(dict(settings.LANGUAGES)[code]),
        "name": name,
    }
    try:
        letter = render_words(these, BY_KEY[sending.letter], language=code, values=given)
    except Gap as gap:
        return Sample(**facts, gap=str(gap))
    return Sample(**facts, subject=_plain(letter.subject), text=_plain(letter.text))


def _rendered(row: Notification, these: Words, code: str) -> Rendered:
    given = values.of(row, language=code)
    return render_words(these, BY_KEY[row.sending.letter], language=code, values=given)


def drawn(sending: Sending, *, row: int, version: int) -> str | None:
    """The letter's HTML as that person would get it. :returns: None where there is none"""
    found = sending.notifications.select_related(*TOGETHER).filter(pk=row).first()
    if found is None or found.user is None:
        return None
    code = language_of(found.user)
    try:
        return _rendered(found, words_at(sending.letter, code, version), code).html
    except (Gap, MessageTemplate.DoesNotExist):
        return None


def _plain(rendered: str) -> str:
    """As a mail it is text, and so was marked as safe by its template; on a page it is not."""
    return "".join(rendered)


def why_in_words(sample: Sample) -> str:
    known = dict(event_words.reason_choices())
    return ", ".join(known[reason] for reason in sample.reasons)


def warnings(sending: Sending) -> list[str]:
    """What in this letter may not be true any more."""
    incident = sending.incident
    if incident is None:
        return []
    found = []
    if sending.letter == LetterKey.ALL_CLEAR and incident.verified_at is None:
        found.append(
            _(
                "This incident was never verified: look at the data first, for the letter speaks of it."
            )
        )
    if sending.letter in OFF and not incident.is_open:
        found.append(_("The incident is resolved: look whether what the letter says is still so."))
    if sending.next_news_at and sending.next_news_at <= timezone.now():
        found.append(
            _("The time that it promises news by has passed: stop it, and write it again.")
        )
    return found


# ---------------------------------------------------------------- who they are


def people(sending: Sending) -> QuerySet[Notification]:
    found = sending.notifications.filter(user__isnull=False).select_related("user__teacher")
    return found.order_by(F("user__last_name"), "user__first_name", "pk")


def person(row: Notification) -> dict[str, Any]:
    user = row.user
    assert user is not None  # `people` has no others
    known = event_words.reason_choices()
    return {
        "name": shown_name(user),
        "email": user.email,
        "reasons": ", ".join(text for key, text in known if key in row.reasons),
        "language": _(dict(settings.LANGUAGES)[language_of(user)]),
        "state": row.get_state_display(),
        "at": row.sent_at,
        "trouble": row.bounce or (row.error if row.state != State.SENT else ""),
    }


LANGUAGES = """
    SELECT CASE WHEN u.language = ANY(%(known)s) THEN u.language ELSE %(usual)s END, count(*)
      FROM rollback_affectedperson a JOIN enrollment_user u ON u.id = a.user_id
     WHERE a.incident_id = %(incident)s AND u.is_active AND u.deleted_at IS NULL GROUP BY 1
"""


def languages(incident: Incident) -> dict[str, int]:
    """Code → how many of its people read it, as `language_of` finds it."""
    known = [code for code, _name in settings.LANGUAGES]
    asked: dict[str, Any] = {
        "known": known,
        "usual": settings.LANGUAGE_CODE,
        "incident": incident.pk,
    }
    with connection.cursor() as cursor:
        cursor.execute(LANGUAGES, asked)
        return dict(cursor.fetchall())
