"""What the management is told: one page at each change of an incident's state, figures from the rows."""

from rollback.briefing.facts import Facts, gather
from rollback.briefing.mailing import listed, look, mail_now, send_test
from rollback.briefing.wording import STATES, Page, letter_values, page

__all__ = [
    "STATES",
    "Facts",
    "Page",
    "gather",
    "letter_values",
    "listed",
    "look",
    "mail_now",
    "page",
    "send_test",
]
