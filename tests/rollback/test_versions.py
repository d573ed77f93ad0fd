"""Two pages at once: whatever is typed where, in whatever order, no text is overwritten unseen."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rollback.domain import versions
from rollback.domain.answers import MOST_BYTES, AnswersTooLarge, digest, read
from rollback.domain.versions import State

AT = "2026-11-30T14:02:00+00:00"
NAMES = ("note", "wished_times")


def arrive(state: State, **posted: str) -> versions.Arrival:
    return versions.arrive(
        state, read({name.replace("__", ":"): text for name, text in posted.items()}), at=AT
    )


def filled(state: State, name: str = "note") -> str:
    """The stamp of a field as a page carries it that is loaded now."""
    return versions.stamps(state, names=[name], shown=state.answers)[f"seen:{name}"]


@pytest.fixture
def begun() -> State:
    return arrive(State(), note="first", wished_times="Mondays").state


def test_only_a_save_that_changes_something_raises_the_version(begun: State) -> None:
    assert begun.version == 1
    again = arrive(begun, note="first").state
    assert again.version == 1
    assert arrive(again, note="second").state.version == 2


def test_a_field_changed_on_both_pages_is_set_aside(begun: State) -> None:
    stamp = filled(begun)
    ahead = arrive(begun, note="there", seen__note=stamp, save_page="b").state
    late = arrive(ahead, note="here", seen__note=stamp, save_page="a")
    assert late.refused == ("note",)
    assert late.state.answers["note"] == "there"
    assert late.state.version == ahead.version
    [aside] = late.state.set_aside
    assert (aside["name"], aside["value"], aside["page"], aside["open"]) == (
        "note",
        "here",
        "a",
        True,
    )


def test_other_fields_of_the_same_save_are_merged_all_the_same(begun: State) -> None:
    stamps = {f"seen__{name}": filled(begun, name) for name in NAMES}
    ahead = arrive(begun, note="there", **stamps).state
    late = arrive(ahead, note="here", wished_times="Fridays", **stamps)
    assert late.refused == ("note",)
    assert late.state.answers == {"note": "there", "wished_times": "Fridays"}


def test_a_field_that_was_not_touched_here_keeps_what_was_typed_elsewhere(begun: State) -> None:
    stamp = filled(begun)
    ahead = arrive(begun, note="there", seen__note=stamp).state
    late = arrive(ahead, note="first", seen__note=stamp)
    assert late.refused == ()
    assert late.state.answers["note"] == "there"
    assert late.state.set_aside == []


def test_the_same_text_typed_twice_is_no_conflict(begun: State) -> None:
    """A form posts other line ends than a script; whoever reads it sees one text."""
    stamp = filled(begun)
    ahead = arrive(begun, note="one\ntwo", seen__note=stamp).state
    late = arrive(ahead, note="one\r\ntwo ", seen__note=stamp)
    assert (late.refused, late.state.set_aside) == ((), [])


def test_a_page_does_not_conflict_with_itself(begun: State) -> None:
    """It may not know which of its own saves have arrived: a beacon has no answer."""
    stamp, state = filled(begun), begun
    for text in ("a", "ab", "abc"):
        arrival = arrive(state, note=text, seen__note=stamp, save_page="a")
        assert arrival.refused == ()
        state = arrival.state
    assert state.answers["note"] == "abc"


def test_a_page_that_others_typed_over_conflicts_again(begun: State) -> None:
    stamp = filled(begun)
    own = arrive(begun, note="a", seen__note=stamp, save_page="a").state
    theirs = arrive(own, note="b", seen__note=filled(own), save_page="b").state
    assert arrive(theirs, note="a2", seen__note=stamp, save_page="a").refused == ("note",)


def test_what_says_nothing_of_what_it_has_seen_is_not_checked(begun: State) -> None:
    """Our own code, and pages of the release before."""
    ahead = arrive(begun, note="there", save_page="b").state
    assert arrive(ahead, note="here", save_page="a").state.answers["note"] == "here"


# ------------------------------------------------------------------ a slot and its teacher


SLOT = {"slot": "2026-12-01T16:00:00Z", "teacher": "1"}


def test_a_slot_and_its_teacher_are_chosen_together() -> None:
    begun = arrive(State(), **SLOT).state
    stamps = {f"seen__{name}": filled(begun, name) for name in SLOT}
    ahead = arrive(begun, slot="2026-12-02T16:00:00Z", teacher="1", **stamps).state
    late = arrive(ahead, slot="2026-12-03T16:00:00Z", teacher="2", **stamps)
    assert set(late.refused) == {"slot", "teacher"}
    assert late.state.answers == ahead.answers
    [aside] = late.state.set_aside
    assert (aside["name"], aside["value"], aside["teacher"]) == (
        "slot",
        "2026-12-03T16:00:00Z",
        "2",
    )
    choice = f"take.aside.{late.state.version}.{versions.key_of(aside)}"
    done = arrive(late.state, choice__slot=choice).state
    assert done.answers == {"slot": "2026-12-03T16:00:00Z", "teacher": "2"}
    assert not any(one["open"] for one in done.set_aside)


def test_a_slot_does_not_come_to_stand_beside_the_teacher_of_another() -> None:
    """Here another time of the same teacher, elsewhere only another teacher."""
    begun = arrive(State(), **SLOT).state
    stamps = {f"seen__{name}": filled(begun, name) for name in SLOT}
    ahead = arrive(begun, teacher="2").state
    late = arrive(ahead, slot="2026-12-02T16:00:00Z", teacher="1", **stamps)
    assert set(late.refused) == {"slot", "teacher"}
    assert late.state.answers == {**SLOT, "teacher": "2"}


# ------------------------------------------------------------------ choosing


def conflicting(begun: State) -> tuple[State, str, str]:
    """:returns: the draft, and how page a and a page loaded afterwards name the two texts."""
    stamp = filled(begun)
    ahead = arrive(begun, note="there", seen__note=stamp, save_page="b").state
    state = arrive(ahead, note="here", seen__note=stamp, save_page="a").state
    key = versions.key_of(state.set_aside[0])
    return state, f"saved.{state.version}.{key}", f"aside.{state.version}.{key}"


@pytest.mark.parametrize(
    ("verb", "kept", "lost"),
    [
        ("keep", "here", {"there", "here"}),
        ("take", "there", {"here"}),
        ("both", "here\nthere", {"here"}),
    ],
)
def test_the_page_that_lost_chooses(begun: State, verb: str, kept: str, lost: set[str]) -> None:
    state, reference, _other = conflicting(begun)
    done = arrive(
        state,
        note="here",
        choice__note=f"{verb}.{reference}",
        seen__note="1 x",
        save_page="a",
    )
    assert (done.decided, done.refused) == (("note",), ())
    assert done.state.answers["note"] == kept
    assert {one["value"] for one in done.state.set_aside} == lost
    assert not any(one["open"] for one in done.state.set_aside)


@pytest.mark.parametrize(
    ("verb", "kept"), [("keep", "there"), ("take", "here"), ("both", "there\nhere")]
)
def test_a_page_loaded_afterwards_chooses(begun: State, verb: str, kept: str) -> None:
    state, _own, reference = conflicting(begun)
    done = arrive(
        state,
        note="there",
        choice__note=f"{verb}.{reference}",
        seen__note=filled(state),
        save_page="c",
    )
    assert done.state.answers["note"] == kept
    assert not any(one["open"] for one in done.state.set_aside)


def test_a_choice_between_texts_that_are_the_two_no_more_is_asked_again(begun: State) -> None:
    state, reference, _other = conflicting(begun)
    later = arrive(state, note="later", seen__note=filled(state), save_page="b").state
    posted = {"choice__note": f"keep.{reference}", "seen__note": "1 x", "save_page": "a"}
    done = arrive(later, note="here", **posted)
    assert (done.decided, done.refused) == ((), ("note",))
    assert done.state.answers["note"] == "later"


def test_words_of_a_slot_may_be_added_to_the_wishes() -> None:
    begun = arrive(State(), **SLOT, wished_times="Fridays").state
    stamps = {f"seen__{name}": filled(begun, name) for name in SLOT}
    ahead = arrive(begun, slot="2026-12-02T16:00:00Z", teacher="1", **stamps).state
    state = arrive(ahead, slot="2026-12-03T16:00:00Z", teacher="1", **stamps).state
    key = versions.key_of(state.set_aside[0])
    for verb, kept in (("keep", "Fridays"), ("both", "Fridays\nThursday 17:00"), ("take", None)):
        fields = {
            "wished_times": "Fridays",
            "choice:wished_times": f"{verb}.aside.{state.version}.{key}",
        }
        words = {key: "Thursday 17:00"}
        done = versions.arrive(state, read(fields), at=AT, words=words)
        waits = any(one["open"] for one in done.state.set_aside)
        assert (done.state.answers["wished_times"], waits) == (kept or "Fridays", kept is None)


@pytest.mark.parametrize(
    "fields",
    [
        {"seen:note": "x"},
        {"seen:note": "-1 abc"},
        {"seen:note": "²"},
        {"choice:note": "keep"},
        {"choice:note": "keep.saved.x.y"},
        {"choice:note": "steal.saved.1.y"},
        {"choice:slot": "both.saved.1.y"},
        {"choice:nothing": "take.aside.1.y"},
        {"save_count": "1e3", "save_page": "p"},
        {"seen:note": "1 \x00", "choice:note": "\x00"},
    ],
)
def test_nonsense_beside_the_answers_counts_as_not_said(
    begun: State, fields: dict[str, str]
) -> None:
    done = versions.arrive(begun, read({"note": "typed", **fields}), at=AT)
    assert done.state.answers == {"note": "typed", "wished_times": "Mondays"}
    assert not done.decided


def test_what_is_set_aside_is_bounded_and_open_texts_go_last(begun: State) -> None:
    state, _reference, _other = conflicting(begun)
    for n in range(30):
        key = versions.key_of(state.set_aside[-1]) if n else ""
        text = f"round {n}"
        stamp = f"seen__{'wished_times'}"
        ahead = arrive(state, wished_times=f"there {n}").state
        refused = arrive(ahead, wished_times=text, **{stamp: "0 x"}, save_page=f"p{n}").state
        key = versions.key_of(refused.set_aside[-1])
        choice = f"take.saved.{refused.version}.{key}"
        state = arrive(refused, wished_times=text, choice__wished_times=choice).state
    assert len(state.set_aside) == versions.MOST_ASIDE
    assert [one["value"] for one in state.set_aside if one["open"]] == ["here"]


def test_more_that_waits_than_can_be_kept_is_refused_whole(begun: State) -> None:
    stamp = filled(begun)
    state = arrive(begun, note="there", seen__note=stamp).state
    half = "x" * (MOST_BYTES * 2 // 3)
    state = arrive(state, note=half, seen__note=stamp, save_page="a").state
    with pytest.raises(AnswersTooLarge):
        arrive(state, note=half + "y", seen__note=stamp, save_page="b")


# ------------------------------------------------------------------ every interleaving


@dataclass
class Page:
    """A tab: what its fields show, what they were filled from, and what it showed beside them."""

    name: str
    shows: dict[str, str]
    seen: dict[str, str]
    shown: set[str] = field(default_factory=set)


class TwoTabs(RuleBasedStateMachine):
    """Tabs that are loaded, typed into, saved, whose answers get lost, and that choose.

    What is typed is never typed twice, so a text that is gone can be told. `may_go` are the texts
    that somebody who saw them has replaced.
    """

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.count = 0
        self.arrived: set[str] = set()
        self.may_go: set[str] = set()
        self.tabs = [self._load("a"), self._load("b")]

    def _load(self, name: str) -> Page:
        shows = {n: self.state.answers.get(n, "") for n in NAMES}
        stamps = versions.stamps(self.state, names=NAMES, shown=shows)
        return Page(
            name=f"{name}{self.state.version}.{self.count}",
            shows=shows,
            seen={n: stamps[f"seen:{n}"] for n in NAMES},
            shown={*shows.values(), *(one["value"] for one in self.state.set_aside if one["open"])},
        )

    @rule(tab=st.integers(0, 1))
    def reload(self, tab: int) -> None:
        """Only what had arrived is the server's to keep; the browser keeps the rest."""
        self.count += 1
        self.tabs[tab] = self._load("ab"[tab])

    @rule(tab=st.integers(0, 1), name=st.sampled_from(NAMES))
    def type_into(self, tab: int, name: str) -> None:
        self.count += 1
        self.tabs[tab].shows[name] = f"text {self.count}"

    @rule(
        tab=st.integers(0, 1),
        whole=st.booleans(),
        answered=st.booleans(),
    )
    def save(self, tab: int, whole: bool, answered: bool) -> None:
        """whole: as a form without a script does. answered: or a beacon, or an answer that got lost."""
        page = self.tabs[tab]
        names = [
            n for n in NAMES if whole or digest(page.shows[n]) != page.seen[n].partition(" ")[2]
        ]
        self._post(page, {n: page.shows[n] for n in names}, answered=answered)

    @precondition(lambda self: any(one["open"] for one in self.state.set_aside))
    @rule(tab=st.integers(0, 1), verb=st.sampled_from(["keep", "take", "both"]))
    def choose(self, tab: int, verb: str) -> None:
        """The page is answered with both texts, and the student chooses."""
        page = self.tabs[tab]
        aside = next(one for one in self.state.set_aside if one["open"])
        name, key = aside["name"], versions.key_of(aside)
        own = aside["page"] == page.name
        if not own:
            page.shows[name] = self.state.answers.get(name, "")
            page.seen[name] = filled(self.state, name)
        page.shown |= {aside["value"], self.state.answers.get(name, ""), page.shows[name]}
        kind = "saved" if own else "aside"
        choice = {f"choice:{name}": f"{verb}.{kind}.{self.state.version}.{key}"}
        self._post(page, {name: page.shows[name]}, choice=choice)
        page.shows[name] = self.state.answers[name]
        page.shown.add(page.shows[name])

    def _post(
        self,
        page: Page,
        texts: dict[str, str],
        *,
        choice: dict[str, str] | None = None,
        answered: bool = True,
    ) -> None:
        before = self.state
        fields = {
            **texts,
            **{f"seen:{n}": page.seen[n] for n in NAMES},
            **(choice or {}),
            "save_page": page.name,
        }
        arrival = versions.arrive(before, read(fields), at=AT)
        self.state = arrival.state
        typed = {text for text in texts.values() if text}
        self.arrived |= typed
        page.shown |= typed
        gone = {text for n, text in before.answers.items() if text != self.state.answers[n]}
        assert gone <= page.shown, "a text was replaced by a page that had never shown it"
        for n in texts:
            if answered and n not in (*arrival.refused, *arrival.left_out):
                page.seen[n] = str(self.state.version)

    @invariant()
    def nothing_is_lost(self) -> None:
        here = [*self.state.answers.values(), *(one["value"] for one in self.state.set_aside)]
        known = {text for tab in self.tabs for text in tab.shown}
        for text in self.arrived:
            kept = any(text in stored for stored in here)
            assert kept or text in known | self.may_go, f"{text} is lost"
        self.may_go |= known

    @invariant()
    def versions_only_rise(self) -> None:
        assert all(
            change["version"] <= self.state.version for change in self.state.changes.values()
        )


TwoTabs.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestTwoTabs: Any = TwoTabs.TestCase


# NUL is taken out where forms arrive.
texts = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=30)


@given(texts, texts, texts)
def test_of_two_pages_that_save_once_each_text_is_kept(first: str, here: str, there: str) -> None:
    begun = arrive(State(), note=first).state
    stamp = filled(begun)
    ahead = arrive(begun, note=there, seen__note=stamp, save_page="b").state
    done = arrive(ahead, note=here, seen__note=stamp, save_page="a").state
    kept = {digest(done.answers["note"]), *(digest(one["value"]) for one in done.set_aside)}
    changed_here = digest(here) != digest(first)
    assert digest(there) in kept or digest(there) == digest(first)
    assert digest(here) in kept or not changed_here


def test_a_form_that_comes_back_shows_what_only_another_page_has_changed(begun: State) -> None:
    stamps = {f"seen:{name}": filled(begun, name) for name in NAMES}
    ahead = arrive(begun, note="there", wished_times="Sundays").state
    posted = {"note": "first", "wished_times": "Fridays", **stamps}
    state = versions.arrive(ahead, read(posted), at=AT).state
    back = versions.refreshed(state, posted, state.answers)
    assert (back["note"], back["wished_times"]) == ("there", "Fridays")
    assert not versions.stale(state, replace(read(back), answers={"note": back["note"]}))
    assert versions.stale(state, read(back)) == ("wished_times",)
    again = versions.stamps(state, names=NAMES, shown=state.answers, posted=back)
    assert again["seen:wished_times"] == stamps["seen:wished_times"]
