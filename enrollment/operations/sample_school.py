"""Writing the sample school's files."""

from datetime import date
from pathlib import Path

from enrollment.sample import files, timetable


def write_sample_school(*, folder: Path, today: date) -> list[Path]:
    """Writes over what has the same name there; leaves anything else alone."""
    texts = files.texts(timetable.build(today=today))
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in texts.items():
        path = folder / name
        path.write_text(text, "utf-8", newline="")
        paths.append(path)
    return paths
