"""Static files are collected when one of them changed: seconds of work, hundredths to look."""

import hashlib

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

STAMP = "static.digest"


def changed() -> bool:
    stamp = settings.VAR / STAMP
    return not settings.STATIC_ROOT.exists() or not stamp.exists() or stamp.read_text() != _digest()


def collect() -> None:
    """The stamp comes last, so that a collection that was cut off is done again."""
    digest = _digest()
    call_command("collectstatic", interactive=False, verbosity=0)
    (settings.VAR / STAMP).write_text(digest)


def _digest() -> str:
    seen = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            at = storage.get_modified_time(path).timestamp()
            seen.update(f"{path} {at} {storage.size(path)}\n".encode())
    return seen.hexdigest()
