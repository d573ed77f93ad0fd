"""The report, once as Markdown and once as a page: the same sections, said twice."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from rollback.models import Rehearsal
from rollback.rehearsing import picture
from rollback.rehearsing.certificate import PHASES, figures
from rollback.rehearsing.picture import source_of
from rollback.rehearsing.steps import FAILED, LEFT_OUT, Result

MARKDOWN = str.maketrans({one: f"\\{one}" for one in "\\`*_[]<>|#~"})
STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#59636e;--line:#d9dee3;--bad:#b3261e;
--good:#1a6b3a}
@media (prefers-color-scheme:dark){:root{--paper:#0d1014;--ink:#e8ecf1;--soft:#a3adb8;--line:#323a43;
--bad:#ff8f87;--good:#7fd6a2}}
body{margin:0 auto;max-width:64rem;padding:2rem 1rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2.2rem}
.passed{color:var(--good)}.failed{color:var(--bad)}
.wide{overflow-x:auto}svg{display:block;width:100%;min-width:44rem;height:auto}
table{border-collapse:collapse;width:100%}
th,td{border-bottom:1px solid var(--line);padding:.35rem 1.25rem .35rem 0;text-align:left;
vertical-align:top;overflow-wrap:break-word}
th{color:var(--soft);font-weight:600}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """rows: the first one is the head. A cell that is no text is a number."""

    title: str
    words: Sequence[str] = ()
    rows: Sequence[Sequence[str | int | float | None]] = ()


def sections(rehearsal: Rehearsal, results: Sequence[Result]) -> list[Section]:
    facts = {one.name: one.facts for one in results if one.state != LEFT_OUT}
    found = [
        _about(rehearsal, results, facts),
        _phases(results, facts),
        _student(results),
        _times(facts),
        _shares(facts),
        _migrations(facts),
        _steps(results),
    ]
    return [one for one in found if one.words or len(one.rows) > 1]


def markdown(rehearsal: Rehearsal, results: Sequence[Result]) -> str:
    parts = [f"# {_plain(headline(rehearsal))}"]
    for one in sections(rehearsal, results):
        parts.append(f"## {_plain(one.title)}")
        parts += [_plain(words) for words in one.words]
        if one.rows:
            parts.append("\n".join(_markdown_table(one.rows)))
    return "\n\n".join(parts) + "\n"


def page(rehearsal: Rehearsal, results: Sequence[Result]) -> str:
    """One file without scripts, which asks nobody for anything."""
    title, state = escape(headline(rehearsal)), "passed" if rehearsal.passed else "failed"
    body = "".join(_html(one) for one in sections(rehearsal, results))
    return (
        f'<!doctype html><html lang="{get_language() or "en"}"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy"'
        f" content=\"default-src 'none'; style-src {source_of(STYLE)} {source_of(picture.STYLE)}\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>"
        f'<body><main><h1 class="{state}">{title}</h1>'
        f'<div class="wide" tabindex="0">{rehearsal.picture}</div>{body}</main></body></html>\n'
    )


def headline(rehearsal: Rehearsal) -> str:
    if rehearsal.passed:
        return _("Rollback rehearsed: passed")
    return _("Rollback rehearsed: failed")


def _about(
    rehearsal: Rehearsal, results: Sequence[Result], facts: Mapping[str, Mapping[str, Any]]
) -> Section:
    before = facts.get("before", {})
    rows: list[Sequence[str | int | float | None]] = [
        (_("what"), _("figure")),
        (_("backup"), rehearsal.backup),
        (_("began"), _moment(rehearsal.started_at)),
        (_("ended"), _moment(rehearsal.finished_at)),
        (_("tables of the copy"), _shown(before.get("tables"))),
        (_("rows of the copy"), _shown(before.get("rows"))),
        (_("migrations"), rehearsal.graph[:16]),
    ]
    failed = [one for one in results if one.state == FAILED]
    words = [f"{one.title}: {one.words}" for one in failed]
    if rehearsal.error and not failed:
        words.append(rehearsal.error)
    words += [one.words for one in results if one.name == "restore" and one.words]
    return Section(title=_("Summary"), words=words, rows=rows)


def _moment(at: Any) -> str:
    return date_format(localtime(at), "DATETIME_FORMAT") if at else "–"


def _phases(results: Sequence[Result], facts: Mapping[str, Mapping[str, Any]]) -> Section:
    names = {
        "3": _("3: pages off"),
        "2": _("2: API and tasks off"),
        "1": _("1: tables archived"),
        "0": _("back: tables brought home"),
    }
    verified = {one.name: one.state_word for one in results}
    rows: list[Sequence[str | int | float | None]] = [
        (_("phase"), _("seconds"), _("of it blocked"), _("rows"), _("verification"))
    ]
    rows += [
        (
            names[phase],
            facts[step].get("seconds"),
            facts[step].get("blocked"),
            facts[step].get("rows"),
            verified.get(f"verify {phase}", "–"),
        )
        for phase, step in PHASES.items()
        if "seconds" in facts.get(step, {})
    ]
    compared = [one.words for one in results if one.name == "compare" and one.words]
    return Section(title=_("Phases"), words=[*compared, *_forecast(facts)], rows=rows)


def _forecast(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    found = figures(facts)["forecast"].get("1")
    if not found:
        return
    if found["is_rough"]:
        words = _(
            "Forecast of phase 1: about %(seconds)s s. The copy has only %(rows)s rows in the features’ "
            "tables, so nothing can be said about a million of them."
        )
    else:
        words = _("Forecast of phase 1: %(seconds)s s, and %(more)s s for each million rows.")
    yield words % {
        "seconds": found["constant"],
        "rows": f"{found['rows']:,}",
        "more": found["per_million"],
    }


def _student(results: Sequence[Result]) -> Section:
    names = ("student", "student goes on")
    words = [one.words for one in results if one.name in names and one.words]
    return Section(title=_("A student in the middle"), words=words)


def _times(facts: Mapping[str, Mapping[str, Any]]) -> Section:
    before = facts.get("before", {}).get("times", {})
    under = facts.get("times", {}).get("times", {})
    rows: list[Sequence[str | int | float | None]] = [
        (
            _("page of the original flow"),
            _("p50 before, ms"),
            _("p50 under rollback, ms"),
            _("p95 before, ms"),
            _("p95 under rollback, ms"),
            _("p95, change"),
        )
    ]
    for name, was in before.items():
        if name in under:
            now = under[name]
            change = f"{(now['p95'] / was['p95'] - 1) * 100:+.0f} %" if was["p95"] else "–"
            rows.append((name, was["p50"], now["p50"], was["p95"], now["p95"], change))
    return Section(title=_("Times"), rows=rows)


def _shares(facts: Mapping[str, Mapping[str, Any]]) -> Section:
    rows: list[Sequence[str | int | float | None]] = [
        (_("share"), _("on for"), _("of"), _("that is"), _("newly on or off"))
    ]
    for step in ("flags", "back"):
        for one in facts.get(step, {}).get("shares", ()):
            measured = f"{one['measured']:.1f} %"
            rows.append((f"{one['percent']} %", one["on"], one["of"], measured, one["moved"]))
    return Section(title=_("Shares"), rows=rows)


def _migrations(facts: Mapping[str, Mapping[str, Any]]) -> Section:
    rows: list[Sequence[str | int | float | None]] = [
        (_("migration"), _("undone, s"), _("applied again, s"))
    ]
    rows += [
        (one["name"], one["undone"], one["applied"])
        for one in facts.get("migrations", {}).get("migrations", ())
    ]
    return Section(title=_("Migrations"), rows=rows)


def _steps(results: Sequence[Result]) -> Section:
    rows: list[Sequence[str | int | float | None]] = [
        (_("step"), _("state"), _("seconds"), _("of it computing"), _("what was found"))
    ]
    rows += [
        (
            one.title,
            one.state_word,
            None if one.state == LEFT_OUT else round(one.seconds, 2),
            one.facts.get("computed"),
            one.words or "–",
        )
        for one in results
    ]
    return Section(title=_("Steps"), rows=rows)


def _shown(cell: str | int | float | None) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.2f}"


def _plain(text: str) -> str:
    """One line of Markdown that is text and nothing else."""
    return " ".join(text.split()).translate(MARKDOWN)


def _markdown_table(rows: Sequence[Sequence[str | int | float | None]]) -> Iterator[str]:
    head, *others = rows
    yield f"| {' | '.join(_plain(_shown(cell)) for cell in head)} |"
    yield f"|{'---|' * len(head)}"
    for row in others:
        yield f"| {' | '.join(_plain(_shown(cell)) for cell in row)} |"


def _html(section: Section) -> str:
    words = "".join(f"<p>{escape(one)}</p>" for one in section.words)
    return f"<h2>{escape(section.title)}</h2>{words}{_html_table(section.rows)}"


def _html_table(rows: Sequence[Sequence[str | int | float | None]]) -> str:
    if not rows:
        return ""
    head, *others = rows
    numbers = [
        bool(others) and all(not isinstance(row[place], str) for row in others)
        for place in range(len(head))
    ]
    kinds = [' class="number"' if one else "" for one in numbers]
    first = "".join(
        f'<th scope="col"{kind}>{escape(_shown(cell))}</th>'
        for cell, kind in zip(head, kinds, strict=True)
    )
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in others)
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{first}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: str | int | float | None) -> str:
    kind = "" if isinstance(cell, str) else ' class="number"'
    return f"<td{kind}>{escape(_shown(cell))}</td>"
