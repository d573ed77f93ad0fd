"""An incident on one page, in the language that is active: the same for paper, the office and the mail."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from rollback import registry
from rollback.briefing.facts import Facts, Pace
from rollback.domain.advice import Do
from rollback.domain.incidents import IncidentState
from rollback.models import IncidentAction, Stakeholder
from rollback.outbox import values

STATES = {
    IncidentState.OPEN: gettext_lazy("Open"),
    IncidentState.ACKNOWLEDGED: gettext_lazy("Acknowledged"),
    IncidentState.CONTAINED: gettext_lazy("Off everywhere"),
    IncidentState.VERIFIED: gettext_lazy("Verified, not resolved"),
    IncidentState.RESOLVED: gettext_lazy("Resolved, not reviewed"),
    IncidentState.REVIEWED: gettext_lazy("Reviewed"),
}
# After the worst ones; docs/runbooks/index.md says the same.
REVIEWED_WITHIN = timedelta(days=3)


@dataclass(frozen=True, kw_only=True)
class Page:
    """Figures: what, and how much."""

    number: int
    title: str
    state: str
    severity: str
    features: str
    since: str
    as_of: str
    who: str
    figures: Sequence[tuple[str, str]]
    next_step: str
    cause: str
    lessons: str
    actions: Sequence[str]


def page(facts: Facts) -> Page:
    incident = facts.incident
    return Page(
        number=incident.pk,
        title=incident.title,
        state=str(STATES[facts.state]),
        severity=str(incident.get_severity_display()),
        features=_features(facts),
        since=moment(facts.since),
        as_of=moment(facts.now),
        who=_who(facts.people),
        figures=list(_figures(facts)),
        next_step=_next_step(facts),
        cause=incident.root_cause,
        lessons=incident.lessons,
        actions=[_action(action) for action in facts.actions],
    )


def letter_values(page: Page, *, to: Stakeholder | None = None) -> dict[str, str]:
    """All that the two letters to the management may name. to: None: a preview for nobody."""
    return {
        "incident": str(page.number),
        "title": page.title,
        "feature": page.features,
        "state": page.state,
        "severity": page.severity,
        "since": page.since,
        "who": page.who,
        "figures": "\n".join(f"{what}: {much}" for what, much in page.figures),
        "next_step": page.next_step,
        "console_link": values.absolute("admin:rollback_incident_change", page.number),
        "status_link": values.absolute("watch:status"),
        "on_the_list": on_the_list(to) if to else "",
        "cause": page.cause or "–",
        "lessons": page.lessons or "–",
        "actions": "\n".join(f"- {action}" for action in page.actions) or _("Nothing."),
    }


def on_the_list(one: Stakeholder) -> str:
    told = {"who": one.added_by_name, "on": date_format(_here(one.added_at), "DATE_FORMAT")}
    words = (
        _("%(who)s put you on the management's list on %(on)s.")
        if one.added_by_name
        else _("You are on the management's list since %(on)s.")
    )
    way_out = _("Answer this mail to be taken off it.")
    return f"{words % told} {way_out}"


def moment(at: datetime) -> str:
    """With its date, also today: the page is read tomorrow as well."""
    return date_format(_here(at), pgettext("date format", "D j F Y, H:i"))


def _here(at: datetime) -> datetime:
    return timezone.localtime(at, ZoneInfo(settings.TIME_ZONE))


def _features(facts: Facts) -> str:
    """In the words of people, and whether they have been taken away."""
    found = [str(feature.title) for flag in facts.flags if (feature := registry.get(flag))]
    titles = ", ".join(found) or _("no feature of its own")
    if not facts.took_away:
        return _("%(features)s (nothing was taken away)") % {"features": titles}
    if facts.incident.is_open:
        return _("%(features)s (taken away)") % {"features": titles}
    return titles


def _who(counts: Mapping[str, int]) -> str:
    if not counts:
        return _("They are being counted.")
    everybody = counts.get("all", 0)
    people = ngettext("%(count)s person", "%(count)s people", everybody)
    whole = people % {"count": number_format(everybody, force_grouping=True)}
    known = (
        ("draft", _("%(count)s in the middle of enrolling")),
        ("lesson", _("%(count)s with lessons to come")),
        ("teacher", _("%(count)s teaching those lessons")),
        ("exposed", _("%(count)s had the feature")),
    )
    parts = [
        words % {"count": number_format(counts[reason], force_grouping=True)}
        for reason, words in known
        if counts.get(reason)
    ]
    return f"{whole}: {', '.join(parts)}." if parts else f"{whole}."


# ---------------------------------------------------------------- figures


def _figures(facts: Facts) -> Iterator[tuple[str, str]]:
    impact = facts.impact
    if facts.took_away or impact.get("enrolled_original"):
        yield (
            _("Enrollments finished through the original form since"),
            _number(impact.get("enrolled_original", 0)),
        )
    yield from _paces(facts.pace)
    if "minutes_off" in impact:
        yield _("Minutes switched off"), _number(impact["minutes_off"])
    elif "minutes" in impact:
        yield _("Minutes it lasts"), _number(impact["minutes"])
    yield (
        _("Lessons of these people in the next 7 days"),
        _number(facts.lessons),
    )
    yield _("Unfinished enrollments saved since"), _number(impact.get("drafts_saved", 0))
    yield _("Mails to these people"), _mails(facts)
    yield _("People who complained"), _number(impact.get("complaints", 0))


def _paces(pace: Pace) -> Iterator[tuple[str, str]]:
    yield _("Enrollments finished, all ways"), _with_rate(pace.finished, pace.hours)
    if pace.usual is None:
        yield _("The same hours of the weeks before"), _("nothing to compare with yet")
        return
    words = ngettext(
        "The same hours of the week before",
        "The same hours of the %(count)d weeks before, on average",
        pace.weeks,
    )
    yield words % {"count": pace.weeks}, _with_rate(round(pace.usual, 1), pace.hours)
    yield _("Enrollments missing"), _missing(pace.missing or 0)


def _missing(count: int) -> str:
    if not count:
        return _("none")
    words = _("about %(count)s (courses have no prices here, so no sum can be named)")
    return words % {"count": _number(count)}


def _with_rate(count: float, hours: float) -> str:
    if hours * 60 < 1:
        return _number(count)
    told = {"count": _number(count), "rate": _number(round(count / hours, 1))}
    return _("%(count)s (%(rate)s an hour)") % told


def _mails(facts: Facts) -> str:
    told = {"sent": _number(facts.mails_sent), "waiting": _number(facts.mails_waiting)}
    if not facts.mails_waiting:
        return _("%(sent)s sent") % told
    return _("%(sent)s sent, %(waiting)s prepared or waiting") % told


def _number(count: float) -> str:
    is_whole = float(count).is_integer()
    return number_format(
        int(count) if is_whole else count,
        decimal_pos=0 if is_whole else 1,
        force_grouping=True,
    )


# ---------------------------------------------------------------- what comes next


def _next_step(facts: Facts) -> str:
    if facts.state is IncidentState.REVIEWED:
        return _what_is_left(facts)
    if facts.state is IncidentState.RESOLVED:
        return _after_resolving(facts)
    return NEXT.get(facts.advice.do, _look)(facts)


def _acknowledge(facts: Facts) -> str:
    person = _("Somebody of the office has to take it on; whoever is on call is asked to.")
    if not facts.took_away:
        nothing = _("Nothing is taken away before a person decides.")
        return f"{person} {nothing}"
    return f"{person} {_by_itself(facts)}"


def _by_itself(facts: Facts) -> str:
    incident = facts.incident
    if incident.verified_at is not None:
        return _("The school was verified by itself and works without it.")
    if incident.contained_at is not None:
        return _("By itself the school is being verified, every two minutes until it passes.")
    return _("By itself it is being switched off in every process, which takes seconds.")


def _wait(facts: Facts) -> str:
    nothing = _("Nothing that a person has to do now.")
    return f"{nothing} {_by_itself(facts)}"


def _mend(facts: Facts) -> str:
    return _(
        "The verification has failed: somebody has to look at what failed. It is tried again by itself "
        "every two minutes."
    )


def _decide(facts: Facts) -> str:
    if facts.decided is not None:
        told = {"what": _(facts.decided.words)}
        return _("It was decided: %(what)s A person carries it out.") % told
    said = _("A person has to decide what is taken away; nothing is until then.")
    if facts.recommended is None:
        return said
    advice = _("Recommended: %(what)s") % {"what": _(facts.recommended.words)}
    return f"{said} {advice}"


def _watch(facts: Facts) -> str:
    return _(
        "Nobody is watching: the worker and the beat have to be started again, at once. Until then nothing "
        "more is taken away by itself."
    )


def _plan(facts: Facts) -> str:
    told = {"plan": facts.advice.plan}
    if facts.advice.do is Do.GO_ON:
        return _("Plan %(plan)s is paused: a person lets it go on, or ends it.") % told
    return _("Plan %(plan)s goes on by itself, step by step.") % told


def _resolve(facts: Facts) -> str:
    return _(
        "The school works without it. A person has to find the cause and resolve the incident; nothing comes "
        "back by itself."
    )


def _look(facts: Facts) -> str:
    return _("A person has to look at the console.")


NEXT: Mapping[Do, Callable[[Facts], str]] = {
    Do.ACKNOWLEDGE: _acknowledge,
    Do.START_THE_WATCH: _watch,
    Do.GO_ON: _plan,
    Do.MEND: _mend,
    Do.DECIDE: _decide,
    Do.WAIT_FOR_PROCESSES: _wait,
    Do.WAIT_FOR_PROBES: _wait,
    Do.WAIT_FOR_PLAN: _plan,
    Do.RESOLVE: _resolve,
}


def _after_resolving(facts: Facts) -> str:
    resolved = facts.incident.resolved_at or facts.now
    told = {"until": _day(_here(resolved + REVIEWED_WITHIN).date())}
    review = (
        _("A person writes the review: cause, lessons, what is to be done; by %(until)s.") % told
    )
    if not facts.took_away:
        return review
    back = _("What was taken away comes back in steps, each begun by a person.")
    return f"{back} {review}"


def _what_is_left(facts: Facts) -> str:
    left = len(facts.open_actions)
    if not left:
        return _("Nothing: the incident is closed, and everything that was to be done is done.")
    words = ngettext("%(count)d thing is to be done", "%(count)d things are to be done", left)
    said = words % {"count": left}
    if facts.next_due_on is None:
        return f"{said}."
    return _("%(said)s, the next by %(until)s.") % {
        "said": said,
        "until": _day(facts.next_due_on),
    }


def _action(action: IncidentAction) -> str:
    facts = [
        action.who_name,
        _("until %(day)s") % {"day": _day(action.due_on)} if action.due_on else "",
        _("done") if action.done_on else "",
    ]
    more = ", ".join(fact for fact in facts if fact)
    return f"{action.text} ({more})" if more else action.text


def _day(on: date) -> str:
    return date_format(on, "DATE_FORMAT")
