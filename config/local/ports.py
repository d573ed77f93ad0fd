"""Which ports of this machine are free."""

import errno
import socket

from config.local.place import Problem

PLACES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class PortProblem(Problem):
    pass


def parsed(text: str) -> int:
    """:raises PortProblem: it is no port number."""
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise PortProblem(f"PORT is “{text}”; set it to a number from 1 to 65535.")
    return int(text)


def check_free(port: int) -> None:
    """:raises PortProblem: somebody listens there, or only root may."""
    problem = _problem(port)
    if problem == errno.EACCES:
        raise PortProblem(f"Port {port} is for root only; take another: PORT=8001 make run")
    if problem:
        other = next_free(port + 1 if port < 65_535 else 8001)
        raise PortProblem(
            f"Port {port} is taken by another program; take another: PORT={other} make run"
        )


def next_free(port: int) -> int:
    return next(number for number in range(port, 65_536) if not _problem(number))


def _problem(port: int) -> int:
    """Both addresses are asked, as a browser may try either for `localhost`."""
    for family, host in PLACES:
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return error.errno
    return 0
