"""The process that answers with stock django-waffle.

Reads lines like `one 500` and writes the seconds that one repetition took.
"""

import sys
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import django
from django.core.cache import cache
from django.core.management import call_command
from django.test import RequestFactory

FLAGS = ("first", "second", "third", "fourth")


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    user = _school()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        kind, count = line.split()
        sys.stdout.write(f"{_seconds(kind, int(count), user)}\n")
        sys.stdout.flush()


def _school() -> Any:
    """The same wish as in the school's own flags: nearly everybody, and some people early."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group
    from waffle import get_waffle_flag_model

    # Stock users, which the types of the school's settings know nothing of.
    users: Any = get_user_model()._default_manager
    flags: Any = get_waffle_flag_model()._default_manager
    users.get_or_create(username="early")
    student, _made = users.get_or_create(username="student")
    Group.objects.get_or_create(name="staff")
    early = {"percent": Decimal("99.9"), "staff": True, "superusers": True}
    for name in FLAGS:
        flag, _made = flags.get_or_create(name=name, defaults=early)
        flag.users.add(users.get(username="early"))
    return student


def _seconds(kind: str, count: int, user: Any) -> float:
    """one: one flag. page: four flags. group: four flags that a group has early. cold: page with
    an empty cache.
    """
    from django.contrib.auth.models import Group
    from waffle import flag_is_active, get_waffle_flag_model

    flags = get_waffle_flag_model().objects.filter(name__in=FLAGS)
    for flag in flags:
        flag.groups.set(Group.objects.all() if kind == "group" else [])
        flag.flush()
    names = FLAGS[:1] if kind == "one" else FLAGS

    def ask(request: Any) -> None:
        for name in names:
            flag_is_active(request, name)

    ask(_request(user))
    before: Callable[[], None] = cache.clear if kind == "cold" else lambda: None
    return _timed([partial(ask, _request(user)) for _ in range(count)], before)


def _request(user: Any) -> Any:
    request = RequestFactory().get("/")
    request.user = user
    return request


def _timed(calls: list[Callable[[], None]], before: Callable[[], None]) -> float:
    """:returns: seconds for each call; what `before` takes does not count."""
    taken = 0.0
    for call in calls:
        before()
        start = time.perf_counter()
        call()
        taken += time.perf_counter() - start
    return taken / len(calls)


if __name__ == "__main__":
    main()
