"""Letters that are edited: what is refused and why, what holds whatever is empty, what a mail then says."""

import re
import time
from collections.abc import Iterator
from datetime import date
from datetime import time as hour
from itertools import product
from typing import Any

import pytest
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import DatabaseError, transaction
from django.utils import timezone, translation

from enrollment import sockets
from enrollment.admin.ready import message_for
from enrollment.models import Enrollment
from enrollment.operations.office import plan_by_hand
from enrollment.operations.settling import Decision
from rollback import words
from rollback.audit import Actor
from rollback.domain.letters import BY_KEY, LETTERS, Letter
from rollback.doors import ground
from rollback.doors.words import SIMPLIFIED, TURNED_AWAY
from rollback.models import MessageTemplate
from rollback.words import ChangedMeanwhile, Gap, Words, WordsRefused, check, render_words
from rollback.words.checking import trials

OFFICE = Actor(name="office")
ENROLLMENT = BY_KEY["enrollment"]
GOOD: dict[str, Any] = {"subject": "Saved", "text": "{{ saved }}\n\nGo on:\n{{ link }}"}
HTML = '<p>{{ saved }}</p><p><a class="button" href="{{ link }}">Go on</a></p>'


def refused(letter: Letter = ENROLLMENT, /, **changed: str) -> dict[str, list[str]]:
    with pytest.raises(WordsRefused) as caught:
        check(letter, **{**GOOD, **changed})
    return caught.value.errors


# fmt: off
HOSTILE = [
    # What Django's templates can else reach.
    ("{{ saved.__class__ }}", "one name without dots"),
    ("{{ saved.0 }}", "one name without dots"),
    ("{{ saved|upper }}", "filters cannot be used"),
    ("{{ saved|safe|add:link }}", "filters cannot be used"),
    ('{{ "literal" }}', "fixed words need no braces"),
    ('{{ _("literal") }}', "fixed words need no braces"),
    ("{{ 12 }}", "fixed words need no braces"),
    ("{{ }}", "the name of a variable is missing"),
    ("{{ saved link }}", "a variable is one name"),
    ("{% load static %}", "here only {% if … %} can be used"),
    ("{% include 'x' %}", "here only {% if … %} can be used"),
    ("{% extends 'x' %}", "here only {% if … %} can be used"),
    ("{% debug %}", "here only {% if … %} can be used"),
    ("{% verbatim %}{{ link }}{% endverbatim %}", "here only {% if … %} can be used"),
    ("{% comment %}{{ link }}{% endcomment %}", "here only {% if … %} can be used"),
    ("{% for x in saved %}{{ x }}{% endfor %}", "here only {% if … %} can be used"),
    ("{% with link as x %}{{ x }}{% endwith %}", "here only {% if … %} can be used"),
    ("{% %}", "here only {% if … %} can be used"),
    ("{# {{ link }} #}", "notes cannot be kept here"),
    # What Django would leave in the mail as it stands.
    ("{{ saved }", "a brace stands alone"),
    ("{ saved }", "a brace stands alone"),
    ("{{\nsaved }}", "a brace stands alone"),
    ("{% if news", "a brace stands alone"),
    # Conditions that something else than emptiness would decide.
    ('{% if saved == "x" %}x{% endif %}', "only asks whether there is something"),
    ("{% if saved in link %}x{% endif %}", "only asks whether there is something"),
    ("{% if saved is None %}x{% endif %}", "only asks whether there is something"),
    ("{% if saved > 1 %}x{% endif %}", "only asks whether there is something"),
    ("{% if saved.x %}x{% endif %}", "only asks whether there is something"),
    ("{% if saved|length %}x{% endif %}", "only asks whether there is something"),
    ("{% if %}x{% endif %}", "only asks whether there is something"),
    ("{% if not %}x{% endif %}", "only asks whether there is something"),
    ("{% if saved and %}x{% endif %}", "only asks whether there is something"),
    ("{% if saved link %}x{% endif %}", "only asks whether there is something"),
    ("{% if " + "not " * 2000 + "saved %}x{% endif %}", "only asks whether"),
    ("{% if True %}x{% endif %}", "has no “True”"),
    ("{% if false_name %}x{% endif %}", "has no “false_name”"),
    # What is not closed, or closed twice.
    ("{% if news %}x", "is not closed"),
    ("{% endif %}", "no {% if … %} is open here"),
    ("{% else %}", "no {% if … %} is open here"),
    ("{% if news %}a{% else %}b{% else %}c{% endif %}", "no {% if … %} is open here"),
    ("{% if news %}a{% else %}b{% elif saved %}c{% endif %}", "no {% if … %} is open here"),
    ("{% if news %}a{% endif news %}", "nothing may follow the first word"),
    ("{% if saved %}" * 6 + "x" + "{% endif %}" * 6, "stand in each other"),
    ("{% if saved %}" * 380 + "x" + "{% endif %}" * 380, "stand in each other"),
    ("{% if saved %}x{% endif %}" * 300, "too many {% … %}"),
    # Characters that no mail carries, and those that make it read otherwise than it stands.
    ("a\x00b", "U+0000, in line"),
    ("a\n\x1b[31mb", "U+001B, in line"),
    ("a\u202eb", "U+202E"),
    ("a\u2028b", "U+2028"),
    ("a\ud800b", "U+D800"),
    # The signs that the check itself puts in place of variables.
    ("a\ue0004\ue001b", "U+E000"),
    # What is misspelled.
    ("{{ savd }}", "Is “saved” meant?"),
    ("{{ SAVED }}", "has no “SAVED”"),
    ("{{ password }}", "has no “password”"),
    # Gaps.
    ("{{ news }}", "“news” may be empty"),
    ("{% if expected %}{{ news }}{% endif %}", "“news” may be empty"),
    ("{% if not news %}{{ news }}{% endif %}", "“news” may be empty"),
    ("{% if news or expected %}{{ news }}{% endif %}", "“news” may be empty"),
    ("{% if news %}a{% else %}{{ news }}{% endif %}", "“news” may be empty"),
    ("{% if expected %}a{% elif saved %}{{ news }}{% endif %}", "“news” may be empty"),
    ("{% if saved %}{{ news }}{% endif %}", "“news” may be empty"),
    # An address that something else sticks to leads nowhere.
    ("{{ link }}{{ name }}", "leave a blank"),
    ("{{ link }}x", "leave a blank"),
]
# fmt: on


@pytest.mark.parametrize(("added", "says"), HOSTILE, ids=range(len(HOSTILE)))
def test_it_is_refused_at_its_field_in_words(added: str, says: str) -> None:
    for field in ("subject", "text", "html"):
        if (field, says) in (("subject", "leave a blank"), ("html", "leave a blank")):
            continue  # only in a text an address is found by where it ends
        base = {**GOOD, "html": HTML}[field]
        errors = refused(ENROLLMENT, **{field: base + (" " if field != "html" else "") + added})
        assert set(errors) == {field}, errors
        if field != "subject" or len(base) + 1 + len(added) <= 200:
            assert any(says in sentence for sentence in errors[field]), errors
        else:
            assert "room for 200" in errors[field][0]


def test_ten_megabytes_are_refused_at_once() -> None:
    began = time.process_time()
    for field in ("subject", "text", "html"):
        errors = refused(ENROLLMENT, **{field: "{% if saved %}" * 750_000})
        assert "too long" in errors[field][0]
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ saved }}", "“link” is missing: the address that goes on"),
        ("{{ saved }} {% if news %}{{ link }}{% endif %}", "“link” must always be read"),
        ("{{ saved }} {% if not news %}{{ link }}{% endif %}", "“link” must always be read"),
        (
            "{{ saved }} {% if news and expected %}{{ link }}{% elif news %}{{ link }}{% endif %}",
            "“link” must always be read",
        ),
        ("", "Write a text."),
        ("  \n ", "Write a text."),
    ],
)
def test_what_the_letter_is_for_stands_in_it_whatever_is_empty(text: str, says: str) -> None:
    assert any(says in sentence for sentence in refused(text=text)["text"])


def test_what_stands_in_each_branch_stands_always() -> None:
    text = "{{ saved }}\n\n{% if news %}{{ news }} {{ link }}{% else %}{{ link }}{% endif %}"
    check(ENROLLMENT, subject="Saved", text=text)
    check(ENROLLMENT, subject="Saved", text="{{ saved }} {% if saved %}{{ link }}{% endif %}")


def test_what_stands_in_the_subject_only_is_missing_in_the_text() -> None:
    assert "“saved” is missing" in refused(subject="{{ saved }}", text="{{ link }}")["text"][0]


@pytest.mark.parametrize(
    ("html", "says"),
    [
        ("<p>{{ saved }}</p>", "“link” is missing"),
        ("{{ saved }}{% if news %}{{ link }}{% endif %}", "“link” must always be read"),
        ("{{ saved }} {{ link }}<!-- x -->", "cannot be used in a mail"),
        ("{{ saved }} <!-- {{ link }} -->", "cannot be used in a mail"),
        ("{{ saved }} {{ link }}<script>alert(1)</script>", "“<script>” cannot be used"),
        ("{{ saved }} {{ link }}<style>p { x: y }</style>", "a brace stands alone"),
        ('{{ saved }} {{ link }}<img src="https://x.example/p.gif">', "“<img>” cannot be used"),
        ("{{ saved }} {{ link }}<iframe>", "“<iframe>” cannot be used"),
        ('{{ saved }} <p hidden="x">{{ link }}</p>', "“hidden” cannot be written in <p>"),
        ('{{ saved }} <p style="display:none">{{ link }}</p>', "“style” cannot be written in <p>"),
        ('{{ saved }} {{ link }}<p onclick="x">a</p>', "“onclick” cannot be written"),
        ('{{ saved }} {{ link }}<a href="javascript:alert(1)">a</a>', "begins with https://"),
        ('{{ saved }} {{ link }}<a href="data:text/html,x">a</a>', "begins with https://"),
        ('{{ saved }} {{ link }}<a href="{{ name }}">a</a>', "begins with https://"),
        ('{{ saved }} {{ link }}<a href="https://x/{{ name }}">a</a>', "begins with https://"),
        ("{{ saved }} <a href={{ link }}>a</a>", "cannot be used in a mail"),
        ("{{ saved }} <a href='{{ link }}'>a</a>", "cannot be used in a mail"),
        ("{{ saved }} {{ link }}<{{ name }}>", "cannot be used in a mail"),
        ("{{ saved }} {{ link }}<p {{ name }}>a</p>", "cannot be used in a mail"),
        ('{{ saved }} {{ link }}<a class="x" href="{{ link }}">a</a>', "only class is “button”"),
        ("{{ saved }} {{ link }}<a>a</a>", "A link needs an address"),
        ("{{ saved }} {{ link }}<b>a", "“<b>” is not closed"),
        ("{{ saved }} {{ link }}<b><i>a</b></i>", "closes what is not open"),
        ("{{ saved }} {{ link }}</div>", "closes what is not open"),
        ("{{ saved }} {{ link }}{% if news %}<b>{% endif %}a</b>", "closes what is not open"),
        ("{{ saved }} {{ link }} 1 < 2", "written &lt;"),
        ('{{ saved }} {{ link }}<a href="x', "written &lt;"),
    ],
)
def test_html_is_read_as_strictly_as_the_text(html: str, says: str) -> None:
    errors = refused(html=html)
    assert set(errors) == {"html"}
    assert any(says in sentence for sentence in errors["html"]), errors


def test_html_may_lead_on_by_a_link() -> None:
    check(ENROLLMENT, **GOOD, html=HTML)


def test_the_publics_words_have_no_html() -> None:
    errors = refused(BY_KEY["resolved"], subject="x", text="{{ since }}", html="<p>{{ since }}</p>")
    assert "Empty this field." in errors["html"][0]


def test_a_language_that_the_school_does_not_write_is_refused_there() -> None:
    assert "It writes: en, de, es." in refused(language="tlh")["language"][0]


def test_a_subject_is_one_line_and_says_something_always() -> None:
    assert "one line" in refused(subject="Saved\nBcc: x@x.example")["subject"][0]
    assert "Write a subject." in refused(subject=" ")["subject"]
    assert "nothing is left" in refused(subject="{% if news %}x{% endif %}")["subject"][0]


# ---------------------------------------------------------------- what goes out


def rendered(
    text: str = GOOD["text"], *, subject: str = "Saved", html: str = "", **values: str
) -> Any:
    given = {**words.samples_of(ENROLLMENT, "en"), **values}
    made = Words(subject=subject, text=text, html=html)
    return render_words(made, ENROLLMENT, language="en", values=given)


@pytest.mark.parametrize("value", ["Ada\r\nBcc: x@x.example", "Ada\nX", "Ada\x00", "Ada\u2028X"])
def test_a_name_brings_no_header(value: str) -> None:
    letter = rendered(subject="Hello {{ name }}", name=value)
    assert letter.subject.startswith("Hello Ada")
    assert len(letter.subject.splitlines()) == 1
    sent = EmailMessage(subject=letter.subject, body="x", to=["x@x.example"]).message()
    assert sent["Bcc"] is None
    assert "\x00" not in letter.subject


def test_a_name_brings_no_html_and_no_template() -> None:
    evil = '<script>alert(1)</script>" onclick="x {{ link }} {% if %}'
    text, own = (
        rendered("{{ name }} {{ saved }} {{ link }}", name=evil),
        rendered(html="<p>{{ name }}</p>", name=evil),
    )
    for letter in (text, own):
        assert "<script" not in letter.html
        assert '" onclick' not in letter.html
        assert "&lt;script&gt;" in letter.html
    assert evil in text.text


def test_a_long_name_makes_no_endless_subject() -> None:
    assert len(rendered(subject="{{ name }}", name="a" * 5000).subject) == 150


@pytest.mark.parametrize("missing", [None, "", " \n "])
def test_what_is_missing_is_no_gap_but_an_error(missing: str | None) -> None:
    given = {**words.samples_of(ENROLLMENT, "en"), "saved": missing}
    values = {name: value for name, value in given.items() if value is not None}
    these = Words(subject=GOOD["subject"], text=GOOD["text"])
    with pytest.raises(Gap, match="needs saved"):
        words.render_words(these, ENROLLMENT, language="en", values=values)


def test_a_list_a_button_and_a_link_come_of_the_text() -> None:
    text = "To do:\n- first {{ saved }}\n- second\n\nGo on:\n{{ link }}\n\nSee {{ status_link }}."
    letter = rendered(text, saved="<one>")
    assert "<ul>\n<li>first &lt;one&gt;</li>\n<li>second</li>\n</ul>" in letter.html
    assert re.search(r'<a href="[^"]+violin[^"]+"\s+class="button"[^>]*>Go on</a>', letter.html)
    assert ">https://school.example/status/</a>." in letter.html


# ---------------------------------------------------------------- the house's own words


def combinations(letter: Letter) -> Iterator[dict[str, str]]:
    samples = words.samples_of(letter, "en")
    loose = [one.name for one in letter.variables if one.may_be_empty]
    for empty in product((True, False), repeat=len(loose)):
        gone = {name for name, is_empty in zip(loose, empty, strict=True) if is_empty}
        yield {name: "" if name in gone else value for name, value in samples.items()}


@pytest.mark.parametrize("language", [code for code, _name in settings.LANGUAGES])
@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: letter.key)
def test_the_houses_words_hold_and_are_neat_whatever_is_empty(
    letter: Letter, language: str
) -> None:
    own = words.house_words(letter, language)
    check(letter, subject=own.subject, text=own.text, language=language)
    for values in combinations(letter):
        made = render_words(own, letter, language=language, values=values)
        for text in (made.text, made.subject):
            assert not re.search(r"[{}%]|  |[ \t]\n|\n{3}| [.,]", text), text
        assert f'lang="{language}"' in made.html or letter.audience == "public"
        assert "<p></p>" not in re.sub(r"\s", "", made.html)


def test_few_things_may_be_empty_so_that_all_letters_can_be_looked_at() -> None:
    assert max(len(list(trials(letter))) for letter in LETTERS) <= 16


@pytest.mark.parametrize("language", [code for code, _name in settings.LANGUAGES])
@pytest.mark.parametrize(
    ("key", "sentence"), [("enrollment", TURNED_AWAY), ("simplified", SIMPLIFIED)]
)
def test_letter_and_page_say_the_same_sentence(key: str, sentence: Any, language: str) -> None:
    with translation.override(language):
        assert str(sentence) in words.house_words(BY_KEY[key], language).text


def test_the_sentences_are_the_specifications() -> None:
    with translation.override("en"):
        assert str(TURNED_AWAY) == (
            "Technical update in progress. Your enrollment has been saved and you can complete it "
            "using our standard process."
        )
        assert str(SIMPLIFIED) == (
            "Simplified enrollment mode active. Full scheduling features will return shortly."
        )


# ---------------------------------------------------------------- versions


def save(seen: int = 0, **changed: str) -> MessageTemplate | None:
    given = {**GOOD, **changed}
    return words.save(key="enrollment", language="de", seen=seen, actor=OFFICE, **given)


@pytest.mark.django_db
def test_versions_are_added_used_again_and_given_back_to_the_house() -> None:
    first, second = save(), save(1, subject="Gesichert")
    assert first is not None
    assert second is not None
    assert save(2, subject="Gesichert", text=GOOD["text"].replace("\n", "\r\n") + " \r\n") is None
    assert words.words_of("enrollment", "de").subject == "Gesichert"
    assert words.words_of("enrollment", "en").version == 0
    again = words.use_again(key="enrollment", language="de", version=1, seen=2, actor=OFFICE)
    assert again is not None
    assert (again.version, again.subject, again.saved_by_name) == (3, "Saved", "office")
    words.back_to_the_houses(key="enrollment", language="de", seen=3, actor=OFFICE)
    assert words.words_of("enrollment", "de") == words.house_words(ENROLLMENT, "de")
    assert [one.version for one in words.versions("enrollment", "de")] == [4, 3, 2, 1]


@pytest.mark.django_db
def test_whoever_saves_second_is_told_and_loses_nothing() -> None:
    save()
    with pytest.raises(ChangedMeanwhile) as caught:
        save(0, subject="Mine")
    assert caught.value.newest.version == 1
    save(1, subject="Mine")
    assert words.words_of("enrollment", "de").subject == "Mine"


@pytest.mark.django_db
def test_what_a_later_release_does_not_know_any_more_is_not_sent(caplog: Any) -> None:
    MessageTemplate.objects.create(
        key="enrollment", language="de", version=1, subject="x", text="{{ saved }} {{ link }} {{ gone }}",
        saved_by_name="x",
    )  # fmt: skip
    assert words.words_of("enrollment", "de") == words.house_words(ENROLLMENT, "de")


@pytest.mark.django_db
def test_the_database_keeps_each_version_as_it_is() -> None:
    made = save()
    assert made is not None
    rows = MessageTemplate.objects.filter(pk=made.pk)
    for change in (lambda: rows.update(text="x"), lambda: rows.update(version=9), rows.delete):
        with pytest.raises(DatabaseError, match="stays as it is"), transaction.atomic():
            change()
    assert rows.update(saved_by=None, saved_by_name="(deleted)") == 1


# ---------------------------------------------------------------- what the ground floor says with them


@pytest.fixture
def decided(lesson_of_ada: Any) -> Any:
    return Decision(lesson=lesson_of_ada, credit=True)


@pytest.fixture
def lesson_of_ada(db: Any, course: Any, student: Any, teacher: Any) -> Any:
    enrollment = Enrollment.objects.create(student=student, course=course, teacher=teacher)
    made: Any = plan_by_hand(
        enrollment=enrollment,
        teacher=teacher,
        on=date(2031, 3, 10),
        at=hour(16),
        now=timezone.now(),
    )
    return made


def test_a_student_is_told_in_the_words_that_the_office_has_edited_and_in_their_language(
    decided: Decision,
) -> None:
    user = decided.lesson.student.user
    user.language = "de"
    user.save()
    words.save(
        key="cancelled", language="de", subject="Abgesagt", seen=0, actor=OFFICE,
        text="Liebe {{ name }}, {{ course }} am {{ before }} entfällt.\n\n{% if news %}{{ news }}{% endif %}"
        "\n\n{{ link }}",
    )  # fmt: skip
    message = message_for(decided, extra="Bis bald!")
    assert message.startswith("Liebe Ada, ")
    assert "10. März 2031, 16:00 (Europe/Berlin) entfällt." in message
    assert f"/enrollments/{decided.lesson.enrollment_id}/" in message
    assert message.index("Bis bald!") < message.index("/enrollments/")
    assert translation.get_language() == "en"


@pytest.mark.parametrize("why", ["unplugged", "gap", "too long"])
def test_the_ground_floor_says_it_by_itself_where_there_are_no_letters(
    decided: Decision, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    if why == "unplugged":
        monkeypatch.setattr(sockets, "_wording", sockets._own_words)
    elif why == "gap":
        monkeypatch.setattr(ground, "school", lambda: "")
    else:
        text = "{{ before }} {{ link }} " + "a" * 4000
        words.save(key="cancelled", language="en", subject="x", text=text, seen=0, actor=OFFICE)
    message = message_for(decided, extra="See you.")
    assert message.startswith("Hello Ada,\n\nyour lesson in ")
    assert message.endswith("is cancelled. We are sorry. We owe you this lesson, and will find another "
                            "time for it with you.\n\nSee you.\n\nThe school office")  # fmt: skip
