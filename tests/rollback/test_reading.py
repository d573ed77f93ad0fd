"""Reading drafts: whatever is in the columns, it is answers or it is poison. Pure."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback.domain import answers as pure
from rollback.domain import reading
from rollback.domain.reading import Poisoned

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
any_json = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


almost_asides = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["note", "slot"]) | leaves,
            "value": leaves,
            "page": st.just("") | leaves,
            "at": st.just("2026-11-30T14:00:00+00:00") | leaves,
            "open": st.booleans() | leaves,
        },
        optional={"teacher": leaves},
    ),
    max_size=2,
)
almost_changes = st.dictionaries(
    st.sampled_from(["note", "slot", "x"]),
    st.fixed_dictionaries(
        {
            "version": st.integers(0, 5) | leaves,
            "at": st.just("2026-11-30T14:00:00+00:00") | leaves,
            "pages": st.lists(leaves, max_size=2),
        }
    )
    | any_json,
    max_size=2,
)


@given(
    raw=any_json,
    aside=st.just([]) | almost_asides | any_json,
    version=st.integers(-1, 3),
    size=st.integers(0, 200_000),
)
def test_anything_is_read_whole_or_is_poison(raw: Any, aside: Any, version: int, size: int) -> None:
    found = reading.read(raw, aside=aside, version=version, size=size)
    texts = found.salvaged if isinstance(found, Poisoned) else found
    assert all(type(value) is str for value in texts.values())
    if not isinstance(found, Poisoned):
        assert found == raw


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=200)))
def test_what_we_save_ourselves_is_never_poison(typed: dict[str, str]) -> None:
    answers = pure.merge({}, pure.from_post(typed))
    assert reading.read(answers, aside=[], version=pure.VERSION, size=pure.MOST_BYTES) == answers


def test_the_known_names_are_salvaged_first_and_room_is_left_to_type() -> None:
    raw = {f"a{n}": "x" * 1000 for n in range(120)} | {"note": "kept", "slot": 5}
    found = reading.read(raw, aside=[], version=pure.VERSION, size=130_000)
    assert isinstance(found, Poisoned)
    assert found.salvaged["note"] == "kept"
    pure.merge(found.salvaged, {"wished_times": "y" * 20_000})


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("2026-12-01T09:00:00Z", True),
        ("2026-12-01T09:00:00", False),
        ("9999-12-31T23:59:00+00:00", False),
        ("0001-01-01T00:00:00+14:00", False),
        ("whenever", False),
        ("", False),
    ],
)
def test_an_instant_is_one_on_every_clock(text: str, is_one: bool) -> None:
    assert (reading.instant(text) is not None) == is_one


@pytest.mark.parametrize(
    "raw", [None, [], "x", {"p": "1", "q": True, "r": 1.5, "s": {}, "t": 10**400}]
)
def test_which_saves_were_heard_is_forgotten_where_it_cannot_be_read(raw: Any) -> None:
    assert reading.heard(raw) == {}
