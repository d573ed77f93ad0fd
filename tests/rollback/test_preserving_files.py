"""What a folder may hold, cell by cell; and that its description is true."""

from pathlib import Path

import pytest

from enrollment.domain.sheets import BadCell
from rollback.preserving import documented, kinds, manifest, reading
from rollback.preserving.ground import BY_NAME
from rollback.preserving.manifest import FolderRefused

PAGE = Path(__file__).parents[2] / "docs" / "preservation.md"


def said(folder: Path) -> list[str]:
    with pytest.raises(FolderRefused) as caught:
        manifest.read(folder, needed=BY_NAME)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "manifest.json: is no manifest of an export; export again."),
        ("[]", "manifest.json: is no manifest of an export; export again."),
        ('{"format": "school-preservation", "version": 2}', "version 2; this release reads"),
        ('{"format": "other", "version": 1}', "is of format 'other'"),
        (
            '{"format": "school-preservation", "version": 1}',
            "cannot be read ('files'); export again",
        ),
        (
            '{"format": "school-preservation", "version": 1, "as_of": "", "snapshot": "", "zone": "",'
            ' "files": [{"name": "../../etc/passwd", "sha256": "00"}]}',
            "'../../etc/passwd' is no file's name",
        ),
        (
            '{"format": "school-preservation", "version": 1, "as_of": "", "snapshot": "", "zone": "",'
            ' "files": []}',
            "manifest.json: does not name people.csv, teachers.csv,",
        ),
    ],
)
def test_a_manifest_that_nobody_can_follow_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / manifest.NAME).write_text(text)
    (found,) = said(tmp_path)
    assert words in found


def test_no_folder_and_no_manifest(tmp_path: Path) -> None:
    assert "is no folder; name one" in said(tmp_path / "nowhere")[0]
    assert "manifest.json: cannot be opened" in said(tmp_path)[0]


UNITS = "key,course,title,position\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "units.csv: is empty; its first line must name the columns."),
        (
            b"key,course,titel,position\n",
            "line 1: has columns nobody knows, or twice: titel. Known are key",
        ),
        (b"key,course,title,title,position\n", "has columns nobody knows, or twice: title, title."),
        (b"key,course,title\n", "units.csv, line 1: has no position; each column is needed."),
        (
            b"key,course,title,position\na,b,c\n",
            "line 2: has 3 cells, the header has 4; give it as many.",
        ),
        (b'key,course,title,position\n"a\n', "line 2: cannot be read from here on ("),
        (
            b"key,course,title,position\n\xe9,,,\n",
            "units.csv: is no UTF-8; save it as UTF-8, or export again.",
        ),
    ],
)
def test_a_table_that_cannot_be_read(tmp_path: Path, text: bytes, words: str) -> None:
    path = tmp_path / "units.csv"
    path.write_bytes(text)
    with pytest.raises(reading.Unreadable) as caught:
        list(reading.lines(BY_NAME["units.csv"], path))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "drafts.jsonl, line 1: is no JSON ("),
        ("[]", "drafts.jsonl, line 1: is no JSON object whose values are all texts"),
        ('{"key": 1}', "is no JSON object whose values are all texts"),
        ('{"key": "1"}', "drafts.jsonl, line 1: has no student, course,"),
    ],
)
def test_lines_of_json_that_cannot_be_read(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "drafts.jsonl"
    path.write_text(text)
    with pytest.raises(reading.Unreadable) as caught:
        list(reading.lines(BY_NAME["drafts.jsonl"], path))
    assert words in str(caught.value)


def test_a_cell_is_read_to_the_last_blank_and_any_mistake_is_told(tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    path.write_bytes(
        "\ufeffkey,course,title,position\r\n"
        'violin  A ,violin," A\r\n ",2\r\n'
        "violin B,violin,'=B,x\r\n"
        "c,,\x00,1\r\n".encode()
    )
    first, second, third = reading.lines(BY_NAME["units.csv"], path)
    assert first.cells == ["violin  A ", "violin", " A\r\n ", "2"]
    assert [str(one) for one in second.problems] == [
        "units.csv, line 4, column position: “x”: write a whole number from 0 to 32767."
    ]
    assert second.number == 4, "the line before has two"
    assert [(one.column, one.hint) for one in third.problems] == [
        ("course", "must not be empty."),
        ("title", "holds a NUL character, which cannot be stored; remove it."),
    ]


@pytest.mark.parametrize(
    ("kind", "text", "as_school"),
    [
        (kinds.INSTANT, "2026-03-31T16:30:00+02:00", "2026-03-31T14:30:00.000000Z"),
        (kinds.INSTANT, "2026-03-31T14:30:00.5Z", "2026-03-31T14:30:00.500000Z"),
        (kinds.INSTANT, "2026-03-31T16:30:00", None),
        (kinds.INSTANT, "0001-01-01T00:00:00+14:00", None),
        (kinds.INSTANT, "yesterday", None),
        (kinds.CLOCK, "16:30", "16:30:00"),
        (kinds.CLOCK, "16:30:00.500000", "16:30:00.5"),
        (kinds.CLOCK, "16:30+01:00", None),
        (kinds.CLOCK, "24:30", None),
        (kinds.DAY, "31.03.2026", "2026-03-31"),
        (kinds.YES_NO, "Ja", "yes"),
        (kinds.MAIL, "Ada@School.example", "ada@school.example"),
        (kinds.MAIL, "ada", None),
        (kinds.MAIL, " ada@school.example", None),
        (kinds.JSON, "[" * 100_000, "[" * 100_000),  # not for Python to judge
        (kinds.JSON, "7" * 5000, "7" * 5000),
        (kinds.JSON, "{", None),
        (kinds.text(3), " a ", " a "),
        (kinds.text(3), "abcd", None),
    ],
)
def test_one_value_has_one_text(kind: kinds.Kind, text: str, as_school: str | None) -> None:
    if as_school is None:
        with pytest.raises(BadCell):
            kind.read(text)
    else:
        assert kind.read(text) == as_school


def test_the_page_says_what_each_file_and_column_holds() -> None:
    """Where this fails: put what `manage.py rollback export --columns` prints into the page."""
    assert documented.tables() in PAGE.read_text("utf-8")


def test_everything_has_a_description() -> None:
    assert not documented.undescribed()
