"""A real mail over real SMTP, read over real HTTP."""

from collections.abc import Iterator
from email.message import EmailMessage
from http.client import HTTPConnection
from pathlib import Path
from smtplib import SMTP
from typing import NamedTuple

import pytest

from config.local import mailcatcher, ports
from tests.ports import of_our_own


class Answer(NamedTuple):
    status: int
    policy: str
    text: str


class Desk(NamedTuple):
    smtp: int
    reader: int

    def send(self, message: EmailMessage) -> None:
        with SMTP("127.0.0.1", self.smtp) as server:
            server.send_message(message)

    def get(self, path: str, host: str = "localhost") -> Answer:
        connection = HTTPConnection("127.0.0.1", self.reader, timeout=10)
        connection.request("GET", path, headers={"Host": f"{host}:{self.reader}"})
        answer = connection.getresponse()
        policy = answer.getheader("Content-Security-Policy", "")
        return Answer(answer.status, policy, answer.read().decode())

    def open_newest(self) -> tuple[str, Answer]:
        inbox = self.get("/").text
        path = "/mail/" + inbox.split('href="/mail/', 1)[1].split('"', 1)[0]
        return path, self.get(path)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    smtp_port = of_our_own(18_025)
    reader_port = ports.next_free(smtp_port + 1)
    smtp, reader = mailcatcher.start(tmp_path / "mail", smtp_port, reader_port)
    yield Desk(smtp_port, reader_port)
    reader.shutdown()
    reader.server_close()
    smtp.stop()


pytestmark = pytest.mark.xdist_group("ports")


def letter(subject: str, text: str = "Hello", html: str = "") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Office <office@school.example>"
    message["To"] = "ada@school.example"
    message["Subject"] = subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message


def test_an_empty_box_says_so(desk: Desk) -> None:
    assert "No mail yet" in desk.get("/").text


def test_newest_first_and_everything_escaped(desk: Desk) -> None:
    desk.send(letter("First"))
    desk.send(letter("<script>alert(1)</script> für Zoë", "<b>not bold</b> & so on"))
    inbox = desk.get("/").text
    assert "<script>" not in inbox
    assert inbox.index("für Zoë") < inbox.index("First")
    _, answer = desk.open_newest()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; für Zoë" in answer.text
    assert "&lt;b&gt;not bold&lt;/b&gt; &amp; so on" in answer.text
    assert "office@school.example" in answer.text


def test_links_can_be_followed_and_carry_nothing_else(desk: Desk) -> None:
    desk.send(letter("Reset", 'Open http://localhost:8000/reset/x?a=1&b=2. "http://x/"onclick=y'))
    text = desk.open_newest()[1].text
    assert 'href="http://localhost:8000/reset/x?a=1&amp;b=2"' in text
    assert "&quot;onclick=y" in text or '"onclick' not in text


def test_the_html_part_is_shown_where_nothing_of_it_can_run(desk: Desk) -> None:
    desk.send(letter("Both", "plain", "<p>rich</p><script>alert(1)</script>"))
    path, answer = desk.open_newest()
    assert "<iframe sandbox=" in answer.text
    assert "allow-scripts" not in answer.text
    assert "rich" not in answer.text
    framed = desk.get(f"{path}/html")
    assert "<p>rich</p>" in framed.text
    assert framed.policy.startswith("sandbox ")
    assert "default-src 'none'" in framed.policy
    assert "allow-scripts" not in framed.policy


def test_other_names_and_paths_are_turned_away(desk: Desk) -> None:
    assert desk.get("/", host="evil.example").status == 421
    assert desk.get("/mail/../../etc/passwd").status == 404
    assert desk.get("/mail/nothing").status == 404


def test_a_broken_mail_does_not_break_the_page(desk: Desk) -> None:
    with SMTP("127.0.0.1", desk.smtp) as server:
        raw = b"Subject: =?utf-8?q?=ff=fe?=\r\nTo: <<>>,\r\n"
        raw += b"Content-Type: text/plain; charset=nope\r\n\r\n\xff"
        server.sendmail("a@school.example", ["b@school.example"], raw)
    assert desk.get("/").status == 200
    assert desk.open_newest()[1].status == 200
