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
    """Over for longer than WRITES_ON, or the student is deleted. It can still be read."""


def check_can_write(*, ends_at: datetime | None, now: datetime) -> None:
    """ends_at: None, when it is not in sight.

    :raises ThreadClosed:
    """
    if ends_at is not None and now >= ends_at:
        raise ThreadClosed
