"""An incident as a Markdown file, with nothing in it that people typed and Markdown would obey."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from rollback import plans
from rollback import verification as verification_words
from rollback.console import event_words
from rollback.console.story import Line, Story, post_mortem_gaps

ANYWHERE = re.compile(r"([\\`*_\[\]<>&|~@$])")
# What begins a heading, a list, a rule, a quotation or a line below a heading; indented it is code.
AT_THE_BEGINNING = re.compile(r"^([#+=:-]|\d+(?=[.)]))")
ADDRESS = re.compile(r"(?i)(?<=http)(s?):(?=//)|(?<=ftp)():(?=//)|(?<=www)()\.")


def safe(text: str) -> str:
    """One line of text that is text wherever it stands."""
    line = " ".join(text.split())
    line = ANYWHERE.sub(r"\\\1", line)
    line = ADDRESS.sub(lambda found: f"{found[1] or ''}\\{found[0][-1]}", line)
    begins = AT_THE_BEGINNING.match(line)
    if begins is None:
        return line
    number = begins[1]
    rest = line[begins.end() :]
    return f"{number}\\{rest}" if number.isdigit() else f"\\{number}{rest}"


def quoted(text: str) -> str:
    """Some lines, as a quotation."""
    return "\n".join(f"> {safe(line)}".rstrip() for line in text.strip().splitlines())


def of(story: Story) -> str:
    return "\n\n".join(part for part in _parts(story) if part) + "\n"


def _parts(story: Story) -> Iterator[str]:
    incident = story.incident
    # Not inside of an f-string, where makemessages does not find it.
    yield "# " + _("Incident") + f" {incident.pk}: {safe(incident.title)}"
    yield _table((_("what"), _("figure")), _facts(story))
    if incident.cause:
        yield _("Why it was opened:") + f"\n\n{quoted(incident.cause)}"
    gaps = list(post_mortem_gaps(story))
    if gaps:
        yield _("To be filled in by a person: %s.") % ", ".join(gaps)
    yield "## " + _("Impact")
    yield _table((_("what"), _("figure")), _figures(story)) or _("Not counted yet.")
    yield from _words(story)
    yield "## " + _("Timeline")
    yield "\n".join(_line(line) for line in story.lines)
    yield _chain(story)
    yield from _taken(story)
    yield from _reviewed(story)


def _figures(story: Story) -> Iterator[tuple[str, str]]:
    if story.is_frozen:
        yield _("people concerned"), str(story.everybody)
    for words, number in story.people:
        yield _("of them %s") % words, str(number)
    yield from story.impact


def _facts(story: Story) -> Iterator[tuple[str, str]]:
    incident = story.incident
    yield _("severity"), str(incident.get_severity_display())
    yield _("kind"), str(incident.get_kind_display())
    yield _("features"), ", ".join(story.features) or "–"
    if incident.first_bad_at:
        yield _("first bad sample"), _moment(incident.first_bad_at)
    for step in story.path:
        if step.at:
            by = f", {step.by}" if step.by else ""
            yield step.words, _moment(step.at) + by
    if story.takes_away:
        facts = {"took": story.took, "objective": story.objective}
        yield _("time to recover"), _("%(took)s, of %(objective)s at most") % facts
    if incident.is_not_the_feature:
        yield _("cause"), _("not the feature: without it, it was just as bad")
    if story.decided:
        yield _("decided"), event_words.in_words(story.decided)
    elif story.advice:
        yield _("recommended"), event_words.in_words(story.advice)


def _words(story: Story) -> Iterator[str]:
    if not story.sendings:
        return
    yield "## " + _("Words to people")
    yield _table(
        (_("letter"), _("state"), _("people"), _("of them"), _("released")),
        [
            (
                one.title,
                one.state,
                str(one.people),
                ", ".join(one.figures),
                f"{_moment(one.sending.released_at)}, {one.sending.released_by_name}"
                if one.sending.released_at
                else "–",
            )
            for one in story.sendings
        ],
    )


def _line(line: Line) -> str:
    said = [f"“{safe(text)}”" for text in line.said.splitlines() if text.strip()]
    more = [*map(safe, line.details), *said]
    head = f"- {_moment(line.at)} **{safe(line.what)}** ({safe(str(line.who))})"
    return "\n".join([head, *(f"  - {one}" for one in more)])


def _chain(story: Story) -> str:
    if story.broken is not None:
        return "**" + _("Line %s of the timeline is not as it was written.") % story.broken + "**"
    if not story.last_hash:
        return ""
    return _("The timeline is as it was written. Its last hash: %s") % f"`{story.last_hash}`"


def _taken(story: Story) -> Iterator[str]:
    if story.plans:
        yield "## " + _("Plans")
    for plan in story.plans:
        state = {
            "number": plan.pk,
            "state": plans.state_word(plan.state),
            "by": safe(plan.actor_name),
        }
        yield _("Plan %(number)s, %(state)s, by %(by)s") % state
        yield _table(
            (_("share"), _("done")),
            [
                (f"{step.percent} %", _moment(step.done_at) if step.done_at else "–")
                for step in plan.steps.all()
            ],
        )
    for verification in list(story.verifications)[:1]:
        yield "## " + _("Verification")
        passed = _("passed") if verification.passed else _("not passed")
        word = _("running") if verification.passed is None else passed
        yield f"{_moment(verification.started_at)}: {word}"
        yield _table(
            (_("probe"), _("result"), _("found"), "ms"),
            [
                (
                    verification_words.title(one.probe),
                    _("passed") if one.passed else _("failed"),
                    one.words,
                    f"{one.milliseconds} / {one.limit_milliseconds}",
                )
                for one in verification.results.all()
            ],
        )
    if story.judgments:
        yield "## " + _("What the triggers said")
        yield "\n".join(
            f"- {_moment(one.judged_at)} **{safe(one.trigger_name)}** {safe(one.verdict)}: {safe(one.words)}"
            for one, _evidence in story.judgments
        )


def _reviewed(story: Story) -> Iterator[str]:
    incident = story.incident
    missing = _("To be filled in.")
    if incident.resolution:
        yield f"## {_('How it was resolved')}\n\n{quoted(incident.resolution)}"
    yield f"## {_('Root cause')}\n\n{quoted(incident.root_cause) or missing}"
    yield f"## {_('Lessons learned')}\n\n{quoted(incident.lessons) or missing}"
    yield "## " + _("Actions")
    yield (
        _table(
            (_("what is to be done"), _("by whom"), _("until"), _("done")),
            [
                (one.text, one.who_name or "–", _day(one.due_on), _day(one.done_on))
                for one in story.actions
            ],
        )
        or missing
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Empty without rows."""
    lines = [[safe(str(cell)) or "–" for cell in row] for row in rows]
    if not lines:
        return ""
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(head), ["---"] * len(head), *lines])


def _moment(at: datetime) -> str:
    """With its offset, for who reads it elsewhere."""
    return localtime(at).isoformat(sep=" ", timespec="seconds")


def _day(on: date | None) -> str:
    return date_format(on, "SHORT_DATE_FORMAT") if on else "–"
