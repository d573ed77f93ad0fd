"""A curve small enough to stand in a line of text. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 120, 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """pieces: the points of each, as SVG writes them; where there was nothing is a gap.
    limit: how high the threshold lies; None: there is none to be drawn.
    """

    pieces: Sequence[str]
    limit: float | None


def curve(values: Sequence[float | None], *, threshold: float | None) -> Curve:
    """values: by equal steps of time, None where there was nothing."""
    known = [value for value in values if value is not None]
    top = max([*known, 1.25 * (threshold or 0)], default=0) or 1
    step = WIDTH / max(len(values) - 1, 1)
    pieces = [
        " ".join(_point(at * step, value / top) for at, value in run) for run in _runs(values)
    ]
    return Curve(pieces=pieces, limit=None if threshold is None else _down(threshold / top))


def _runs(values: Sequence[float | None]) -> Iterator[list[tuple[float, float]]]:
    """What stands side by side. One alone becomes a short line, or nobody would see it."""
    run: list[tuple[float, float]] = []
    for at, value in [*enumerate(values), (len(values), None)]:
        if value is not None:
            run.append((at, value))
        elif run:
            yield run if run[1:] else [run[0], (run[0][0] + 0.7, run[0][1])]
            run = []


def _point(across: float, share: float) -> str:
    return f"{across:.1f},{_down(share)}"


def _down(share: float) -> float:
    """From the upper edge, a line's width away from both."""
    return round(1 + (HEIGHT - 2) * (1 - share), 1)
