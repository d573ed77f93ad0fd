"""What goes to a program instead of to a person."""

from rollback.models import Notification


class ProgramRefused(ValueError):
    """It answered, and did not take it."""


def post(row: Notification) -> None:
    """:raises OSError: :raises ProgramRefused:"""
    raise ProgramRefused("not yet")
