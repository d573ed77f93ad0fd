"""The school's one conversion from a wall clock to an instant."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


class NoSuchTime(ValueError):
    """The clocks were put forward over that time; `instead` is what they showed then."""

    def __init__(self, instead: datetime) -> None:
        super().__init__(f"the clocks go forward that night; {instead:%H:%M} would be right.")
        self.instead = instead


def instant(*, on: date, at: time, zone: str) -> datetime:
    """In UTC. The hour that comes twice in autumn means its first time (RFC 5545 § 3.3.5).

    :raises NoSuchTime: the hour that is left out in spring.
    """
    local = datetime.combine(on, at, tzinfo=ZoneInfo(zone))
    moment = local.astimezone(UTC)
    back = moment.astimezone(local.tzinfo)
    if back.replace(tzinfo=None) != local.replace(tzinfo=None):
        raise NoSuchTime(back)
    return moment


def instant_or_instead(*, on: date, at: time, zone: str) -> datetime:
    """In UTC; where the clocks leave the time out, what they show then."""
    try:
        return instant(on=on, at=at, zone=zone)
    except NoSuchTime as error:
        return error.instead.astimezone(UTC)


def comes_twice(*, on: date, at: time, zone: str) -> bool:
    """The hour that the clocks repeat in autumn."""
    first, second = (datetime.combine(on, at.replace(fold=fold), ZoneInfo(zone)) for fold in (0, 1))
    return first.utcoffset() > second.utcoffset()  # type: ignore[operator]
