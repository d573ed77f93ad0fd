"""The mails of the school, in the catcher's folder and on its page."""

import mailbox
import time
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

from playwright.sync_api import expect

from tests.browser.people import Person
from tests.browser.school import School

SECONDS = 20.0


def mails_to(school: School, address: str) -> list[EmailMessage]:
    box = mailbox.Maildir(school.var / "mail")
    parser = BytesParser(EmailMessage, policy=policy.default)
    found = [parser.parsebytes(box.get_bytes(key)) for key, _mail in box.items()]
    return [mail for mail in found if mail["To"] == address]


def only_mail_to(school: School, address: str, *, about: str = "") -> EmailMessage:
    """`about`: how its subject begins, where others may have written to the address as well."""
    deadline = time.monotonic() + SECONDS
    while not (
        # A subject that is no ASCII comes folded, with a blank before it.
        found := [m for m in mails_to(school, address) if m["Subject"].strip().startswith(about)]
    ):
        assert time.monotonic() < deadline, f"no mail to {address} within {SECONDS} s"
        time.sleep(0.1)
    assert len(found) == 1, [mail["Subject"] for mail in found]
    return found[0]


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def open_newest_mail(reader: Person, school: School, *, to: str) -> None:
    """On the catcher's page, as whoever runs the school on a desk reads it."""
    subject = only_mail_to(school, to, about="Your enrollment in")["Subject"].strip()
    reader.page.goto(school.mails)
    reader.page.locator("li", has_text=f"to {to}").filter(has_text=subject).first.get_by_role(
        "link"
    ).click()
    expect(reader.page.get_by_text(to, exact=True)).to_be_visible()
