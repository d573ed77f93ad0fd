"""Two pages that are open at once, or two devices: no answer overwrites another unseen. Pure.

A draft remembers of each answer which version last changed it, and which pages know that text. So a
posted answer, with the base that `seen:NAME` names, is

- accepted, if nobody changed it since, or the page knows the present text, or says the same;
- left out, if it was not touched on that page (the digest is its own): what was saved elsewhere stays;
- refused, if both were changed. It is set aside, where it stays open until the student has chosen.

Each answer for itself, so that one conflict keeps nothing else from being saved; only `slot` and its
`teacher` are one. An answer that comes without `seen:` (from our own code, or from a page of an
earlier release) is not checked. A choice counts only while its two texts are still the two; the one
that lost is set aside, closed.

Hence: a text that arrived is in the answers or set aside, until a page that knew it typed over it.
When MOST_ASIDE or MOST_BYTES are reached, what was once chosen against goes, the oldest first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NotRequired, TypedDict

from rollback.domain.answers import (
    MOST_BYTES,
    SAVE_COUNT,
    SAVE_PAGE,
    SEEN,
    AnswersTooLarge,
    Choice,
    Seen,
    Typed,
    digest,
    merge,
    read,
    same,
    size,
    tidy,
)

MOST_ASIDE = 20
MOST_PAGES = 8
TOGETHER = ("slot", "teacher")


class Change(TypedDict):
    """Of one answer: the version that last changed it, when, and the pages that know the text."""

    version: int
    at: str
    pages: list[str]


class Aside(TypedDict):
    """A text that is not among the answers. `open`: the student has still to choose."""

    name: str
    value: str
    teacher: NotRequired[str]  # of a slot
    page: str
    at: str
    open: bool


@dataclass(frozen=True, kw_only=True)
class State:
    """A draft as it is stored."""

    answers: Mapping[str, str] = field(default_factory=dict)
    version: int = 0
    changes: Mapping[str, Change] = field(default_factory=dict)
    set_aside: Sequence[Aside] = ()

    def changed_in(self, name: str) -> int:
        return self.changes[name]["version"] if name in self.changes else 0

    def waiting(self, name: str) -> list[Aside]:
        """What was set aside for the student to choose, the oldest first."""
        return [one for one in self.set_aside if one["open"] and one["name"] == name]

    def open_aside(self, name: str, key: str) -> Aside | None:
        return next((one for one in self.waiting(name) if key_of(one) == key), None)


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What became of a posted form: by name, what was not accepted, and whose choice was followed."""

    state: State
    refused: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    decided: tuple[str, ...] = ()


def arrive(
    state: State, typed: Typed, *, at: str, words: Mapping[str, str] | None = None
) -> Arrival:
    """The draft after a posted form has arrived at `at` (ISO 8601).

    words: of slots that are set aside, by key: the original form shows and takes them as text.

    :raises AnswersTooLarge: nothing of it may be stored.
    """
    state, typed, decided = _decide(state, typed, at=at, words=words or {})
    verdicts = _verdicts(state, typed)
    accepted = {n: text for n, text in typed.answers.items() if verdicts[n] == ACCEPTED}
    refused = tuple(name for name, verdict in verdicts.items() if verdict == REFUSED)
    answers = merge(state.answers, accepted)
    changed = {name for name, text in accepted.items() if state.answers.get(name) != text}
    version = state.version + bool(changed)
    changes = dict(state.changes)
    for name in accepted:
        if name in changed or name in changes:
            new = version if name in changed else 0
            changes[name] = _changed(state, typed, name, version=new, at=at)
    aside = [*state.set_aside, *_lost(typed, refused, at=at)]
    return Arrival(
        state=State(
            answers=answers,
            version=version,
            changes=changes,
            set_aside=_bounded(_closed_where_agreed(_once(aside), answers)),
        ),
        refused=refused,
        left_out=tuple(name for name, verdict in verdicts.items() if verdict == LEFT_OUT),
        decided=decided,
    )


def stale(state: State, typed: Typed) -> tuple[str, ...]:
    """The posted answers that the page would not show if it were loaded again, and does not know."""
    return tuple(
        name
        for name, text in typed.answers.items()
        if not _knows(state, typed, name) and not same(text, state.answers.get(name, ""))
    )


def refreshed(state: State, posted: Mapping[str, str], shown: Mapping[str, str]) -> dict[str, str]:
    """`posted`, for a form that comes back; what was only changed elsewhere is there as it is `shown`."""
    typed = read(posted)
    new = {
        name
        for name in stale(state, typed)
        if name in shown and digest(typed.answers[name]) == typed.seen[name].digest
    }
    return {
        **posted,
        **{name: shown[name] for name in new},
        **{f"{SEEN}{name}": f"{state.version} {digest(shown[name])}" for name in new},
    }


def stamps(
    state: State,
    *,
    names: Iterable[str],
    shown: Mapping[str, str],
    posted: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The hidden fields of a form with the fields `names`, filled with `shown`.

    posted: what the form shows instead; where that is not what is saved, it keeps its old base.
    """
    told = posted or {}
    return {SAVE_PAGE: "", SAVE_COUNT: ""} | {
        f"{SEEN}{name}": (
            told[f"{SEEN}{name}"]
            if f"{SEEN}{name}" in told
            and name in told
            and not same(told[name], state.answers.get(name, ""))
            else f"{state.version} {digest(shown.get(name, ''))}"
        )
        for name in names
    }


def texts_of(aside: Aside) -> dict[str, str]:
    texts = {aside["name"]: aside["value"]}
    return texts | {"teacher": aside["teacher"]} if "teacher" in aside else texts


def key_of(aside: Aside) -> str:
    return digest(f"{aside['value']}\0{aside.get('teacher', '')}")


# ------------------------------------------------------------------ what becomes of an answer

ACCEPTED, LEFT_OUT, REFUSED = "accepted", "left out", "refused"


def _verdicts(state: State, typed: Typed) -> dict[str, str]:
    found = {name: _verdict(state, typed, name) for name in typed.answers}
    if all(name in found for name in TOGETHER):
        both = {found[name] for name in TOGETHER}
        changed = any(typed.answers[n] != state.answers.get(n) for n in TOGETHER)
        if REFUSED in both or (both == {ACCEPTED, LEFT_OUT} and changed):
            found |= dict.fromkeys(TOGETHER, REFUSED)
    return found


def _verdict(state: State, typed: Typed, name: str) -> str:
    text = typed.answers[name]
    if _knows(state, typed, name) or same(text, state.answers.get(name, "")):
        return ACCEPTED
    return LEFT_OUT if digest(text) == typed.seen[name].digest else REFUSED


def _knows(state: State, typed: Typed, name: str) -> bool:
    """The page has seen the present text, or says nothing of what it has seen."""
    seen = typed.seen.get(name)
    if seen is None or state.changed_in(name) <= seen.version:
        return True
    return bool(typed.page) and typed.page in state.changes[name]["pages"]


def _changed(state: State, typed: Typed, name: str, *, version: int, at: str) -> Change:
    """version 0: it says what was there already, so one page more knows it."""
    before = state.changes.get(name)
    agreed = before is not None and same(typed.answers[name], state.answers.get(name, ""))
    known = [page for page in before["pages"] if page != typed.page] if before and agreed else []
    return Change(
        version=version or state.changed_in(name),
        at=at if version or before is None else before["at"],
        pages=[*known, *([typed.page] if typed.page else [])][-MOST_PAGES:],
    )


# ------------------------------------------------------------------ what the student chose


def _decide(
    state: State, typed: Typed, *, at: str, words: Mapping[str, str]
) -> tuple[State, Typed, tuple[str, ...]]:
    """Follows each choice between two texts that are still the two."""
    decided: list[str] = []
    for name, choice in typed.choices.items():
        other = _other(state, name, choice, words)
        here = {n: typed.answers.get(n, state.answers.get(n, "")) for n in _unit(name)}
        if other is None or (choice.verb == "both" and name in TOGETHER):
            continue
        kept, lost = {"keep": (here, other), "take": (other, here)}.get(
            choice.verb, ({name: _joined(here[name], other[name])}, {})
        )
        state = replace(
            state, set_aside=[*_closing(state, choice.key), *_aside(lost, typed, at=at)]
        )
        typed = replace(
            typed,
            answers={**typed.answers, **kept},
            seen={**typed.seen, **{n: Seen(choice.version, "") for n in kept}},
        )
        decided.extend(kept)
    return state, typed, tuple(decided)


def _other(
    state: State, name: str, choice: Choice, words: Mapping[str, str]
) -> dict[str, str] | None:
    """The text beside the one in the form; None when it is that no more."""
    if any(state.changed_in(n) > choice.version for n in _unit(name)):
        return None
    if choice.other == "saved":
        return {n: state.answers.get(n, "") for n in _unit(name)}
    if (aside := state.open_aside(name, choice.key)) is not None:
        return texts_of(aside)
    if name == "wished_times" and state.open_aside("slot", choice.key) and choice.verb != "take":
        return {name: words.get(choice.key, "")}
    return None


def _unit(name: str) -> tuple[str, ...]:
    return TOGETHER if name == "slot" else (name,)


def _joined(here: str, other: str) -> str:
    """Unless the other stands there already, line by line."""
    here, other = tidy(here), tidy(other)
    return here if f"\n{other}\n" in f"\n{here}\n" else f"{here}\n{other}".strip()


# ------------------------------------------------------------------ what is set aside


def _lost(typed: Typed, refused: Sequence[str], *, at: str) -> list[Aside]:
    return [
        aside
        for name in refused
        if not (name == "teacher" and "slot" in refused)
        for aside in _aside(
            {n: typed.answers[n] for n in _unit(name) if n in typed.answers},
            typed,
            at=at,
            waits=True,
        )
    ]


def _aside(texts: Mapping[str, str], typed: Typed, *, at: str, waits: bool = False) -> list[Aside]:
    """Nothing, where there is no text."""
    if not texts:
        return []
    name, value = next(iter(texts.items()))
    aside = Aside(name=name, value=value, page=typed.page, at=at, open=waits)
    if name == "slot":
        aside["teacher"] = texts.get("teacher", "")
    return [aside]


def _closing(state: State, key: str) -> list[Aside]:
    return [Aside(**{**one, "open": one["open"] and key_of(one) != key}) for one in state.set_aside]


def _once(aside: Sequence[Aside]) -> list[Aside]:
    """A page has one open text for a name, its newest; no text stands there twice."""
    kept: dict[tuple[str, ...], Aside] = {}
    for one in aside:
        key = (
            (one["name"], one["page"])
            if one["open"] and one["page"]
            else (one["name"], "", key_of(one))
        )
        kept.pop(key, None)
        kept[key] = one
    return list(kept.values())


def _closed_where_agreed(aside: Sequence[Aside], answers: Mapping[str, str]) -> list[Aside]:
    return [Aside(**{**one, "open": one["open"] and not _agrees(one, answers)}) for one in aside]


def _agrees(aside: Aside, answers: Mapping[str, str]) -> bool:
    return same(aside["value"], answers.get(aside["name"], "")) and (
        "teacher" not in aside or aside["teacher"] == answers.get("teacher", "")
    )


def _bounded(aside: Sequence[Aside]) -> list[Aside]:
    """:raises AnswersTooLarge: so much waits for a choice that nothing more can be kept."""
    kept = list(aside)
    while len(kept) > MOST_ASIDE or size(kept) > MOST_BYTES:
        settled = next((n for n, one in enumerate(kept) if not one["open"]), None)
        if settled is None:
            raise AnswersTooLarge
        del kept[settled]
    return kept
