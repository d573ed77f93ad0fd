"""Letters that nobody needs: with a way to say so in each, which the mail program may go for its reader."""

import re
from email.message import EmailMessage
from typing import Any

import pytest
from django.conf import settings as school
from django.core import mail
from django.test import Client
from django.urls import reverse

from enrollment.models import Student, Teacher, User
from enrollment.operations.erase import erase_person
from rollback import outbox, reminders
from rollback.audit import Actor
from rollback.domain.letters import BY_KEY
from rollback.models import NoNews, NoReminders
from rollback.outbox import Recipient, news
from tests.enrollment.post_office import PostOffice, post_office

__all__ = ["post_office"]
pytestmark = pytest.mark.django_db(transaction=True)
OFFICE = Actor(name="office")
NEWS = [key for key, letter in BY_KEY.items() if letter.is_news]


def tell(user: User, letter: str = "restored") -> None:
    values = dict(BY_KEY[letter].samples)
    outbox.tell(letter=letter, recipients=[Recipient(user=user, values=values)], actor=OFFICE)


def off_path(user: User) -> str:
    return reverse("watch:no_news", args=[news.off_token(user)])


def part(arrived: EmailMessage, kind: str) -> str:
    body = arrived.get_body((kind,))
    assert body is not None
    return re.sub(r"\s+", " ", str(body.get_content()))


def test_news_carry_the_way_to_have_no_more_and_one_press_is_enough(
    post_office: PostOffice, student: Student
) -> None:
    tell(student.user)
    assert outbox.send_due() == {"sent": 1}
    [arrived] = post_office.mails
    assert arrived["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = re.sub(r"\s", "", str(arrived["List-Unsubscribe"])).removeprefix("<").removesuffix(">")
    assert url == f"{school.SITE_URL}{off_path(student.user)}"
    for kind in ("plain", "html"):
        assert "You do not want news like this?" in part(arrived, kind)
        assert url in part(arrived, kind)
    # As a mail program does it: no cookie, no token of ours, no page read before.
    program = Client(enforce_csrf_checks=True)
    answer = program.post(
        url.removeprefix(school.SITE_URL),
        "List-Unsubscribe=One-Click",
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 200
    assert NoNews.objects.filter(user=student.user).exists()
    tell(student.user)
    assert outbox.send_due() == {"not needed": 1}
    assert len(post_office.mails) == 1


def test_what_is_needed_comes_all_the_same_and_offers_no_way_out(student: Student) -> None:
    news.want_news(user=student.user, wanted=False)
    for letter in ("enrollment", "moved"):
        tell(student.user, letter)
    assert outbox.send_due() == {"sent": 2}
    for sent in mail.outbox:
        assert "List-Unsubscribe" not in sent.extra_headers
        assert "want news like this" not in sent.body
        assert "mails/off" not in str(sent.message())


def test_only_news_are_news() -> None:
    assert NEWS == ["restored"]


def test_a_link_alone_changes_nothing(client: Client, student: Student) -> None:
    """Scanners of mail servers follow every link."""
    page = client.get(off_path(student.user))
    assert page.status_code == 200
    assert "No more news?" in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert news.wants_news(student.user)
    done = client.post(off_path(student.user)).content.decode()
    assert "You get no more news" in done
    assert client.post(off_path(student.user)).status_code == 200
    assert NoNews.objects.count() == 1


def test_a_token_serves_one_purpose_and_one_person(
    client: Client, student: Student, teacher: Teacher, admin: User
) -> None:
    mine = news.off_token(student.user)
    others = reminders.off_token(student)
    for wrong in (others, f"{teacher.user.pk}.{mine.partition('.')[2]}", "x", "1.x", f"{mine}x"):
        assert client.post(reverse("watch:no_news", args=[wrong])).status_code == 404
    assert client.post(reverse("drafts:no_reminders", args=[mine])).status_code == 404
    assert not NoNews.objects.exists()
    assert not NoReminders.objects.exists()
    erase_person(user=student.user, by=admin, now=student.user.date_joined)
    assert client.post(reverse("watch:no_news", args=[mine])).status_code == 404


def test_whoever_has_none_may_have_them_again(client: Client, student: Student) -> None:
    client.force_login(student.user)
    page = client.get("/mails/").content.decode()
    assert "No news, please" in page
    assert "Reminders of enrollments that you left unfinished" in page
    for answer, wanted in (("no", False), ("", False), ("maybe", False), ("yes", True)):
        done = client.post("/mails/", {"news": answer})
        assert (done.status_code, done["Location"]) == (303, "/mails/")
        assert news.wants_news(student.user) == wanted
    client.get("/mails/")  # has said all of it
    client.post("/mails/", {"news": "maybe"})
    assert "nothing was changed" in client.get("/mails/").content.decode()


def test_everybody_finds_the_page_with_every_flag_off(
    client: Client, teacher: Teacher, switches: Any
) -> None:
    switches.kill()
    client.force_login(teacher.user)
    assert 'href="/mails/"' in client.get("/my/data/").content.decode()
    page = client.get("/mails/").content.decode()
    assert "No news, please" in page
    assert "left unfinished" not in page
