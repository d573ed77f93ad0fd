"""Somebody's name in letters to others: taken out where it names them, and nowhere else."""

from datetime import datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from enrollment.models import Teacher, User
from enrollment.operations.erase import erase_person
from rollback.models import Notification, Sending
from rollback.personal import naming

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flag_rows")]

KEPT = {
    "title": "null: the end of the day: “true” of the school",
    "called": "Li Nagel, Ana Li Na, Li Nam",
    "previous": "Li Nagel",
    "link": "https://x.example/Li Na/null",
    "page": 12,
    "pages": [1, 2],
    "incident": None,
    'ä"\\': ["Li Na", {"a": "b"}],
}


def letter(values: object, key: str = "page") -> Notification:
    sending = Sending.objects.create(letter=key, number=1, prepared_by_name="office")
    return Notification.objects.create(sending=sending, email="x@school.example", values=values)


def erased(user: User, now: datetime, *, first: str, last: str = "") -> None:
    User.objects.filter(pk=user.pk).update(first_name=first, last_name=last)
    gone = User.objects.get(pk=user.pk)
    erase_person(user=gone, by=gone, now=now)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (":", ""),
        ("", "null"),
        ("title", ""),
        ("1,", "2"),
        ("", "12"),
        ("of", "the"),
        ("Li", "Na"),
        ("{", "}"),
        ("\\", '"'),
    ],
)
def test_no_name_keeps_anybody_from_being_erased_nor_changes_what_others_read(
    teacher: Teacher, now: datetime, first: str, last: str
) -> None:
    row = letter(KEPT)
    erased(teacher.user, now, first=first, last=last)
    row.refresh_from_db()
    assert row.values == KEPT
    assert User.objects.get(pk=teacher.user_id).deleted_at == now


def test_it_is_gone_from_where_it_names_them(teacher: Teacher, now: datetime) -> None:
    address = teacher.user.email
    row = letter(
        {
            "called": "Li Nagel, Li Na, Bo",
            "previous": "Li Na",
            "title": "Li Na reports: Li Nagel's page fails",
            "on_the_list": f"{address.upper()} put you on the list, not x-{address}.",
            "actions": f"- Mend it ({address}, until 20 January)\n- More (Li Na)",
        }
    )
    erased(teacher.user, now, first="Li", last="Na")
    row.refresh_from_db()
    assert row.values == {
        "called": "Li Nagel, Deleted person, Bo",
        "previous": "Deleted person",
        "title": "Deleted person reports: Li Nagel's page fails",
        "on_the_list": f"Deleted person put you on the list, not x-{address}.",
        "actions": "- Mend it (Deleted person, until 20 January)\n- More (Deleted person)",
    }


def test_letters_that_keep_no_values_are_not_read(teacher: Teacher, now: datetime) -> None:
    row = letter({"title": "Li Na"}, key="enrollment")
    erased(teacher.user, now, first="Li", last="Na")
    row.refresh_from_db()
    assert row.values == {"title": "Li Na"}
    assert {"enrollment", "simplified", "all_clear"}.isdisjoint(naming.THEIRS)
    assert {"page", "hand_over", "briefing", "next_steps", "moved"} <= set(naming.THEIRS)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(min_size=1, max_size=20).filter(lambda text: "\x00" not in text))
@example(name=":")
@example(name=" ")
@example(name='", "')
@example(name="(?P<a>")
@example(name="\\1")
def test_whatever_somebody_is_called(name: str) -> None:
    name = name.encode("utf-8", "ignore").decode()
    row = letter({"called": f"Bo, {name}", "link": name, "number": 1})
    naming.put(naming.DELETED, address="nobody@school.example", names=[name])
    row.refresh_from_db()
    assert row.values["number"] == 1
    assert row.values["link"] == name
    assert row.values["called"].endswith(naming.DELETED) or not name
