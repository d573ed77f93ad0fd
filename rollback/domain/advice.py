"""The one thing to do next, from what is known. Pure: a table of cases, and the first that fits counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

# Without a beat for so long nobody watches; a web process takes over then.
NOBODY_WATCHES = timedelta(seconds=30)
# From the first bad sample to the passed verification.
RECOVERY = timedelta(minutes=30)


class Do(StrEnum):
    """In the order in which they are looked at: who suffers now comes before who has to know."""

    LOOK_ELSEWHERE = "the flags cannot be read"
    TAKE_BACK = "take back"
    END_PROCESSES = "end processes"
    ACKNOWLEDGE = "acknowledge"
    START_THE_WATCH = "start the watch"
    GO_ON = "go on with the plan"
    MEND = "verification failed"
    DECIDE = "decide"
    RELEASE = "release letters"
    WAIT_FOR_PROCESSES = "wait for the processes"
    WAIT_FOR_PROBES = "wait for the verification"
    WAIT_FOR_PLAN = "wait for the plan"
    RESOLVE = "resolve"
    LOOK = "look at a measure"
    BRING_BACK = "bring back"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """share: in %. on: whether anybody has it, its master asked as well. latched: an incident holds it."""

    flag: str
    share: float
    killed: bool = False
    latched: bool = False
    on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An open incident. passed: the newest verification's; None: none has ended. took: it holds flags."""

    number: int
    took: bool = True
    acknowledged: bool = False
    contained: bool = False
    passed: bool | None = None
    verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A trigger that fires now. flags: what it takes away; empty for an alert or a shadow."""

    trigger: str
    flags: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A plan that runs or is paused."""

    number: int
    down: bool
    paused: bool
    flags: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """features: None, when they cannot be read. cases: the oldest first. unwatched: since when nobody
    has evaluated the triggers; None: for ever. behind: processes that live and run older flags.
    """

    features: Sequence[Feature] | None
    cases: Sequence[Case] = ()
    breaches: Sequence[Breach] = ()
    plans: Sequence[Live] = ()
    unwatched: timedelta | None = timedelta(0)
    behind: int = 0
    letters: Sequence[int] = ()

    @property
    def watched(self) -> bool:
        return self.unwatched is not None and self.unwatched <= NOBODY_WATCHES

    def still_on(self, flags: Sequence[str]) -> tuple[str, ...]:
        """Of these, what a machine is not taking away already."""
        going = {name for plan in self.plans if plan.down for name in plan.flags}
        return tuple(
            one.flag
            for one in self.features or ()
            if one.flag in flags and one.on and one.flag not in going
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What it is about, as far as there is one: an incident's or plan's number, a trigger, flags."""

    do: Do
    incident: int | None = None
    plan: int | None = None
    trigger: str = ""
    flags: tuple[str, ...] = ()


def advise(now: Situation) -> Advice:
    return next(advice for case in CASES if (advice := case(now)) is not None)


def _unreadable(now: Situation) -> Advice | None:
    return Advice(do=Do.LOOK_ELSEWHERE) if now.features is None else None


def _take_back(now: Situation) -> Advice | None:
    """What a watch that is silent found long ago is no reason to take anything away."""
    if not now.watched:
        return None
    found = ((breach, now.still_on(breach.flags)) for breach in now.breaches)
    return next(
        (
            Advice(do=Do.TAKE_BACK, trigger=breach.trigger, flags=flags)
            for breach, flags in found
            if flags
        ),
        None,
    )


def _end_processes(now: Situation) -> Advice | None:
    """They have not heard that it is off."""
    first = next((case for case in now.cases if case.took and not case.contained), None)
    if first is None or not now.behind:
        return None
    return Advice(do=Do.END_PROCESSES, incident=first.number)


def _first_case(do: Do, fits: Callable[[Case], bool]) -> Callable[[Situation], Advice | None]:
    def advice(now: Situation) -> Advice | None:
        number = next((case.number for case in now.cases if fits(case)), None)
        return None if number is None else Advice(do=do, incident=number)

    return advice


def _first_plan(do: Do, fits: Callable[[Live], bool]) -> Callable[[Situation], Advice | None]:
    def advice(now: Situation) -> Advice | None:
        found = next((plan for plan in now.plans if fits(plan)), None)
        return None if found is None else Advice(do=do, plan=found.number, flags=tuple(found.flags))

    return advice


def _start_the_watch(now: Situation) -> Advice | None:
    return None if now.watched else Advice(do=Do.START_THE_WATCH)


def _release(now: Situation) -> Advice | None:
    return next((Advice(do=Do.RELEASE, incident=number) for number in now.letters), None)


def _look(now: Situation) -> Advice | None:
    return next((Advice(do=Do.LOOK, trigger=one.trigger) for one in now.breaches), None)


def _bring_back(now: Situation) -> Advice | None:
    """Killed, and no incident holds it any more: somebody has forgotten it."""
    flags = tuple(one.flag for one in now.features or () if one.killed and not one.latched)
    return Advice(do=Do.BRING_BACK, flags=flags) if flags and not now.plans else None


CASES: Sequence[Callable[[Situation], Advice | None]] = (
    _unreadable,
    _take_back,
    _end_processes,
    _first_case(Do.ACKNOWLEDGE, lambda case: not case.acknowledged),
    _start_the_watch,
    _first_plan(Do.GO_ON, lambda plan: plan.paused),
    _first_case(Do.MEND, lambda case: case.took and not case.verified and case.passed is False),
    _first_case(Do.DECIDE, lambda case: not case.took),
    _release,
    _first_case(Do.WAIT_FOR_PROCESSES, lambda case: not case.contained and not case.verified),
    _first_case(Do.WAIT_FOR_PROBES, lambda case: not case.verified),
    _first_plan(Do.WAIT_FOR_PLAN, lambda plan: True),
    _first_case(Do.RESOLVE, lambda case: True),
    _look,
    _bring_back,
    lambda now: Advice(do=Do.NOTHING),
)
