"""Shares as pure rules: monotone, nested, the same for everybody who asks twice."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from rollback.domain.shares import BUCKETS, FlagState, Snapshot, Subject, bucket_of

MASTER, CHILD = "MASTER", "CHILD"
PEOPLE = 100_000
SALT = b"salt of this test"


def board(master: int, child: int = BUCKETS, **of_child: object) -> Snapshot:
    return Snapshot(
        version=1,
        salt=SALT,
        flags={
            MASTER: FlagState(name=MASTER, share=master),
            CHILD: replace(FlagState(name=CHILD, share=child, requires=MASTER), **of_child),  # type: ignore[arg-type]
        },
    )


def test_monotone_over_100000_users_and_every_pair_of_steps() -> None:
    """Who is on at a share is on at every larger one, so it is enough to compare neighbors."""
    people = [Subject(key=f"u:{n}", user_id=n) for n in range(PEOPLE)]
    shares = [0, 1, 50, 100, 2_500, 3_333, 5_000, 7_500, 9_999, BUCKETS]
    smaller: set[str] = set()
    for share in shares:
        snapshot = board(share)
        on = {person.key for person in people if snapshot.is_on(MASTER, person)}
        assert smaller <= on
        assert abs(len(on) / PEOPLE - share / BUCKETS) < 0.005
        smaller = on
    assert len(smaller) == PEOPLE


def test_children_are_a_subset_of_the_master_over_100000_users() -> None:
    people = [Subject(key=f"u:{n}", user_id=n) for n in range(PEOPLE)]
    for master, child in ((2_500, 5_000), (5_000, 2_500), (0, BUCKETS), (BUCKETS, 2_500)):
        snapshot = board(master, child)
        masters = {p.key for p in people if snapshot.is_on(MASTER, p)}
        children = {p.key for p in people if snapshot.is_on(CHILD, p)}
        assert children <= masters
        # One salt: the child at 25 % reaches the same people as the master at 25 %.
        assert len(children) == min(len(masters), sum(1 for p in people if _in(p, child)))


def _in(person: Subject, share: int) -> bool:
    return bucket_of(SALT, person.key) < share


states = st.builds(
    FlagState,
    name=st.just(CHILD),
    share=st.integers(0, BUCKETS),
    killed=st.booleans(),
    requires=st.just(MASTER),
    staff=st.booleans(),
    superusers=st.booleans(),
    users=st.frozensets(st.integers(1, 5), max_size=3),
)
subjects = st.builds(
    Subject,
    key=st.integers(1, 5).map(lambda n: f"u:{n}"),
    user_id=st.integers(1, 5),
    is_staff=st.booleans(),
    is_superuser=st.booleans(),
)


@given(master=states, child=states, subject=subjects)
@settings(max_examples=500)
def test_whatever_the_lists_say_a_child_needs_its_master(
    master: FlagState, child: FlagState, subject: Subject
) -> None:
    snapshot = Snapshot(
        version=1,
        salt=SALT,
        flags={MASTER: replace(master, name=MASTER, requires=None), CHILD: child},
    )
    if snapshot.is_on(CHILD, subject):
        assert snapshot.is_on(MASTER, subject)


@given(state=states, subject=subjects)
def test_kill_and_share_zero_beat_superusers_staff_and_lists(
    state: FlagState, subject: Subject
) -> None:
    for off in (replace(state, killed=True), replace(state, share=0)):
        snapshot = Snapshot(version=1, salt=SALT, flags={MASTER: replace(off, requires=None)})
        assert not snapshot.is_on(MASTER, subject)


@given(state=states, subject=subjects, smaller=st.integers(0, BUCKETS))
def test_lowering_a_share_never_turns_anybody_on(
    state: FlagState, subject: Subject, smaller: int
) -> None:
    def on(share: int) -> bool:
        flag = replace(state, share=share, requires=None)
        return Snapshot(version=1, salt=SALT, flags={CHILD: flag}).is_on(CHILD, subject)

    low, high = sorted((smaller, state.share))
    assert on(high) or not on(low)


def test_unknown_flag_unknown_master_and_a_circle_are_off() -> None:
    who = Subject(key="u:1", user_id=1)
    assert not Snapshot().is_on(MASTER, who)
    orphan = {CHILD: FlagState(name=CHILD, share=BUCKETS, requires="GONE")}
    assert not Snapshot(version=1, flags=orphan).is_on(CHILD, who)
    circle = {
        MASTER: FlagState(name=MASTER, share=BUCKETS, requires=CHILD),
        CHILD: FlagState(name=CHILD, share=BUCKETS, requires=MASTER),
    }
    assert not Snapshot(version=1, flags=circle).is_on(CHILD, who)


def test_nobody_in_particular_is_never_on() -> None:
    assert not board(BUCKETS).is_on(MASTER, Subject(key=""))
