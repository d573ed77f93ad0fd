from pathlib import Path

from enrollment.domain.drawing import states_page


def draw_states(*, path: Path) -> bool:
    """:returns: whether the file had to be changed."""
    page = states_page()
    if path.exists() and path.read_text("utf-8") == page:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, "utf-8", newline="\n")
    return True
