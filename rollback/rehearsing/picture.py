"""The timeline as a picture: one bar for each step, with its seconds. It brings its own background, so it
can be read on a light page and on a dark one; nothing in it is told by color alone.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape

from rollback.rehearsing.steps import DONE, FAILED, LEFT_OUT, Result

WIDTH, ROW, TOP, BOTTOM = 960, 26, 58, 16
LABELS, RIGHT = 330, 96  # what stands left and right of the bars
NARROWEST = 2.0
MARKS = {DONE: "✓", FAILED: "✗", LEFT_OUT: "–"}
TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200)
# Also as attributes: where a page forbids styles, the picture is a light one.
LIGHT = {
    "paper": "#fff",
    "ink": "#1b1f24",
    "soft": "#59636e",
    DONE: "#2f6fb3",
    FAILED: "#b3261e",
    "bad": "#b3261e",
}
STYLE = """
.paper{fill:#fff}.ink{fill:#1b1f24}.soft{fill:#59636e}.line{stroke:#d9dee3}
.done{fill:#2f6fb3}.failed{fill:#b3261e}.bad{fill:#b3261e}
@media (prefers-color-scheme:dark){
.paper{fill:#14181d}.ink{fill:#e8ecf1}.soft{fill:#a3adb8}.line{stroke:#323a43}
.done{fill:#6ea8e6}.failed{fill:#ff8f87}.bad{fill:#ff8f87}}
"""


def source_of(style: str) -> str:
    """As a content policy names it: this style and no other."""
    return f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'"


def picture(results: Sequence[Result], *, title: str) -> str:
    height = TOP + ROW * len(results) + BOTTOM
    until = max((one.began + one.seconds for one in results), default=0) or 1.0
    scale = (WIDTH - LABELS - RIGHT) / until
    body = "".join([*_axis(until, scale, height), *_rows(results, scale)])
    said = escape(_in_words(results, title), quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{said}" font-family="system-ui, sans-serif" font-size="13">'
        f"<style>{STYLE}</style>"
        f'<rect {_of("paper")} width="{WIDTH}" height="{height}" rx="8"/>'
        f'<text {_of("ink")} x="16" y="24" font-size="15" font-weight="600">{escape(title)}</text>'
        f"{body}</svg>"
    )


def _axis(until: float, scale: float, height: int) -> Iterator[str]:
    every = next((tick for tick in TICKS if until / tick <= 8), TICKS[-1])
    for second in range(0, int(until) + 1, every):
        x = LABELS + second * scale
        yield (
            f'<line class="line" stroke="#d9dee3" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}"'
            f' y2="{height - BOTTOM}"/>'
            f'<text {_of("soft")} x="{x:.1f}" y="{TOP - 12}" text-anchor="middle"'
            f' font-size="11">{second} s</text>'
        )


def _rows(results: Sequence[Result], scale: float) -> Iterator[str]:
    for number, one in enumerate(results):
        y = TOP + ROW * number
        bad = one.state == FAILED
        ink = "bad" if bad else "ink" if one.state == DONE else "soft"
        yield (
            f'<text {_of(ink)} x="16" y="{y + 16}">{MARKS[one.state]}</text>'
            f'<text {_of(ink)} x="34" y="{y + 16}">{escape(_short(one.title))}</text>'
        )
        if one.state == LEFT_OUT:
            yield f'<text {_of("soft")} x="{LABELS}" y="{y + 16}">{escape(one.state_word)}</text>'
            continue
        x, wide = LABELS + one.began * scale, max(one.seconds * scale, NARROWEST)
        words = f"{one.seconds:.1f} s" + (f", {one.state_word}" if bad else "")
        yield (
            f'<rect {_of(one.state)} x="{x:.1f}" y="{y + 4}" width="{wide:.1f}" height="16" rx="3">'
            f"<title>{escape(f'{one.title}: {words}')}</title></rect>"
            f'<text {_of(ink)} x="{x + wide + 6:.1f}" y="{y + 16}">{escape(words)}</text>'
        )


def _of(kind: str) -> str:
    return f'class="{kind}" fill="{LIGHT[kind]}"'


def _short(title: str) -> str:
    return title if len(title) <= 46 else f"{title[:45]}…"


def _in_words(results: Sequence[Result], title: str) -> str:
    steps = "; ".join(f"{one.title}: {one.seconds:.1f} s, {one.state_word}" for one in results)
    return f"{title}. {steps}"
