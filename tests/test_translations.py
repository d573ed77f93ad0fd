"""German and Spanish are whole: every marked text has its own, and the .mo holds just what the .po says.

Read without GNU gettext, which a bare machine lacks; `makemessages` and `compilemessages` need it.
"""

import ast
import gettext
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils.translation.template import templatize

from enrollment.models import Course, Student, Teacher, User
from tests.conftest import make_user

# Texts by context and msgid: the translation, in plural forms where there are some.
Key = tuple[str, str]
Catalog = dict[Key, tuple[str, ...]]

FOLDER = Path(settings.LOCALE_PATHS[0])
TRANSLATED = sorted(path.name for path in FOLDER.iterdir())
CODE = ("config", "enrollment", "holidays", "rollback", "scheduling")
# The functions that mark a text, and where context, text and plural stand among their arguments.
MARKS = {
    "_": (None, 0),
    "gettext": (None, 0),
    "gettext_lazy": (None, 0),
    "gettext_noop": (None, 0),
    "ngettext": (None, 0),
    "ngettext_lazy": (None, 0),
    "pgettext": (0, 1),
    "pgettext_lazy": (0, 1),
    "npgettext": (0, 1),
}
PLACE = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w*\}|https?://\S+|<[^>]+>")
# No English sentence does without one of these, and no German or Spanish has any.
TELLTALES = re.compile(
    r"\b(and|are|by|for|is|nothing|of|the|this|to|with|you|your)\b", re.IGNORECASE
)
PAGES = {
    "visitor": "/ /courses/geige/ /accounts/login/ /accounts/password/reset/",
    "student": """
        / /my/courses/ /my/data/ /my/data/delete/ /my/tokens/ /messages/ /drafts/ /calendar/ /calendar/week/
        /calendar/list/ /calendar/subscribe/ /holidays/
        /courses/geige/enroll/ /calendar/choose/geige/ /accounts/email/ /accounts/password/change/""",
    "teacher": "/my/lessons/ /my/students/ /messages/ /schedule/my/hours/ /calendar/ /my/data/",
    "office": """
        /admin/ /admin/rollback/flag/ /admin/rollback/incident/
        /admin/rollback/enrollmentdraft/ /admin/enrollment/course/add/ /admin/enrollment/user/add/
        /admin/enrollment/thread/ /admin/enrollment/lesson/ /admin/enrollment/lesson/week/
        /admin/enrollment/lesson/day/ /admin/enrollment/enrollment/import/""",
}
# What Django's reader makes of a template: `gettext(u'…')`, `npgettext(u'…', u"…", u'…', count)`.
MARKED = re.compile(
    r"""\b(n?p?gettext|_)\((u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*")"""
    r"""(?:, (u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*"))?"""
)


@pytest.fixture(params=TRANSLATED)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def written(language: str) -> Catalog:
    """What the .po says. It is written by `makemessages`, so its lines need no more than this."""
    return {key: texts for entry in _entries(language) for key, texts in [_read(entry)] if key[1]}


def _entries(language: str) -> list[str]:
    return (
        (FOLDER / language / "LC_MESSAGES" / "django.po")
        .read_text(encoding="utf-8")
        .strip()
        .split("\n\n")
    )


def _read(entry: str) -> tuple[Key, tuple[str, ...]]:
    fields: dict[str, str] = {}
    name = ""
    for line in entry.splitlines():
        if found := re.fullmatch(r'(?:(msg\w+(?:\[\d\])?) )?(".*")', line):
            name = found[1] or name
            fields[name] = fields.get(name, "") + ast.literal_eval(found[2])
    texts = tuple(text for name, text in sorted(fields.items()) if name.startswith("msgstr"))
    return (fields.get("msgctxt", ""), fields.get("msgid", "")), texts


@cache
def compiled(language: str) -> Catalog:
    with (FOLDER / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        # Context and msgid joined by \x04; a plural form stands under (msgid, its number).
        catalog: dict[str | tuple[str, int], str] = vars(gettext.GNUTranslations(file))["_catalog"]
    found: dict[Key, dict[int, str]] = {}
    for name, text in catalog.items():
        msgid, form = name if isinstance(name, tuple) else (name, 0)
        context, _joint, msgid = msgid.rpartition("\x04")
        found.setdefault((context, msgid), {})[form] = text
    found.pop(("", ""))
    return {key: tuple(forms[number] for number in sorted(forms)) for key, forms in found.items()}


def test_both_languages_are_there() -> None:
    assert TRANSLATED == ["de", "es"]


def test_the_committed_mo_holds_what_the_po_says(language: str) -> None:
    assert compiled(language) == written(language), f"run: manage.py compilemessages -l {language}"


def test_every_text_is_translated_and_none_is_a_guess(language: str) -> None:
    assert [key for key, texts in written(language).items() if not all(texts)] == []
    marked = [
        entry for entry in _entries(language) if re.search(r"^#,.*fuzzy|^#~", entry, re.MULTILINE)
    ]
    assert marked == []


def test_every_text_keeps_its_placeholders(language: str) -> None:
    """A plural's first form may say “one” in words; its other forms agree with each other."""
    wrong = [
        (msgid, text)
        for (_context, msgid), texts in written(language).items()
        for text in texts
        if len(texts) == 1 and sorted(PLACE.findall(text)) != sorted(PLACE.findall(msgid))
    ]
    assert wrong == []


@cache
def marked_texts() -> dict[Key, str]:
    return {key: place for place, key in [*_marked_in_code(), *_marked_in_templates()]}


def test_every_marked_text_is_in_the_po(language: str) -> None:
    marked = marked_texts()
    missing = {key: place for key, place in marked.items() if key not in written(language)}
    assert missing == {}, "run: the two commands in the first lines of django.po"
    assert set(written(language)) - set(marked) == set(), "nothing says these any more"


def _marked_in_code() -> Iterator[tuple[str, Key]]:
    for path in _files(CODE, "*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (place := MARKS.get(_called(node))):
                # What is in a variable was marked where it was written down, by gettext_noop.
                if not all(_is_text(node.args[at]) for at in place if at is not None):
                    continue
                said = [ast.literal_eval(node.args[at]) if at is not None else "" for at in place]
                yield f"{path}:{node.lineno}", (said[0], said[1])


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant | ast.BinOp)


def _called(node: ast.Call) -> str:
    called = node.func
    return called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")


def _marked_in_templates() -> Iterator[tuple[str, Key]]:
    for path in [*_files(["templates"], "*.html"), *_files(["templates"], "*.txt")]:
        for name, *said in MARKED.findall(templatize(path.read_text(encoding="utf-8"))):
            first, second = (ast.literal_eval(text or "''") for text in said)
            yield str(path), (first, second) if "p" in name else ("", first)


def _files(folders: list[str] | tuple[str, ...], pattern: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(Path(settings.BASE_DIR, folder).rglob(pattern))


@pytest.mark.parametrize(("role", "pages"), PAGES.items(), ids=PAGES)
@pytest.mark.usefixtures("flag_rows")
def test_translated_pages_hold_no_english(
    role: str, pages: str, language: str, client: Client, student: Student, teacher: Teacher
) -> None:
    Course.objects.create(title="Geige", slug="geige").teachers.add(teacher)
    if role != "visitor":
        client.force_login(_person(role, student=student, teacher=teacher))
    for page in pages.split():
        response = client.get(page, headers={"accept-language": language})
        assert response.status_code == 200, page
        assert _english(response.content.decode()) == [], page


def _person(role: str, *, student: Student, teacher: Teacher) -> User:
    if role == "office":
        return make_user("office@school.example", is_staff=True, is_superuser=True)
    return student.user if role == "student" else teacher.user


def _english(page: str) -> list[str]:
    body = re.sub(r"<(script|style|code|template)\b.*?</\1>", " ", page, flags=re.DOTALL)
    said = re.findall(r">([^<>]+)<", body) + re.findall(r'(?:aria-label|alt|title)="([^"]*)"', body)
    return [" ".join(text.split()) for text in said if TELLTALES.search(text)]
