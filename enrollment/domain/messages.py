"""When student and teacher may write to each other. Pure: no Django, no clock."""

from datetime import datetime, timedelta

LONGEST = 4000
# More than a conversation needs, less than a script that runs wild.
HOURLY_LIMIT = 30
# For the question after the last lesson: the sheet music, the certificate, an instrument lent. After
# that a teacher need not look any more, and who wants to learn on enrolls again.
WRITES_ON = timedelta(days=30)
# Several messages in a row become one mail, and what is read at once becomes none.
NOTICE_PAUSE = timedelta(minutes=1)


class ThreadClosed(Exception):
    """The enrollment has been over for longer than WRITES_ON. The thread can still be read."""


def writing_ends_at(*, over_since: datetime | None) -> datetime | None:
    """None: not in sight, the enrollment goes on."""
    return None if over_since is None else over_since + WRITES_ON


def check_can_write(*, over_since: datetime | None, now: datetime) -> None:
    """:raises ThreadClosed:"""
    ends_at = writing_ends_at(over_since=over_since)
    if ends_at is not None and now >= ends_at:
        raise ThreadClosed
