"""One request to a server elsewhere: to the very address that was looked at, once, and never for long.

In production only HTTPS and only addresses of the internet: an address that somebody has entered must not
become a way to what only this machine reaches. Redirects are not followed.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

# For one step, and for all of it: who answers a byte at a time is not waited for either.
STEP, WHOLE = 5.0, 15.0
LONGEST_ANSWER = 2000
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
# Of translators at home, and IPv4 addresses as they were once wrapped: some machines still unwrap them.
INSIDE = tuple(map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48")))
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(ValueError):
    """This address is not asked; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    text: str


def ask(
    url: str, *, method: str = "POST", body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """:raises AddressRefused: :raises OSError: no answer, also one that came too slowly or was none"""
    if not settings.OUTWARD_REQUESTS:
        raise AddressRefused("Nothing goes out from here: OUTWARD_REQUESTS is false.")
    parts = urlsplit(url)
    port = _port_of(url)
    connection = _connection(parts.scheme, parts.hostname or "", port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with _not_longer_than(WHOLE, connection):
            connection.request(method, path, body=body or None, headers=dict(headers or {}))
            response = connection.getresponse()
            text = response.read(LONGEST_ANSWER).decode(errors="replace")
    except http.client.HTTPException as error:
        raise ConnectionError(f"The answer is none: {type(error).__name__}.") from error
    finally:
        connection.close()
    return Answer(status=response.status, text=text)


def check(url: str) -> None:
    """What can be said of it without asking anybody. :raises AddressRefused:"""
    _port_of(url)


def server_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. :raises AddressRefused:"""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", _port_of(url)


def _port_of(url: str) -> int:
    parts = urlsplit(url)
    allowed = ("https",) if settings.PRODUCTION else ("https", "http")
    if parts.scheme not in allowed or not parts.hostname:
        raise AddressRefused("The address has to begin with https://.")
    if parts.username or parts.password:
        raise AddressRefused("The address must not hold a name or a password.")
    try:
        return parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise AddressRefused("The address has no port that could be one.") from error


def _connection(scheme: str, host: str, port: int) -> http.client.HTTPConnection:
    kind = _Https if scheme == "https" else _Http
    return kind(host, port, timeout=STEP)


def _reached(host: str, port: int) -> socket.socket:
    """Looked up and connected to in one go: a name that answers differently the next time gains nothing."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_family, address in found:
        _check_public(str(address[0]))
    last: OSError = ConnectionError("The name has no address.")
    for *_family, address in found:
        try:
            return socket.create_connection((str(address[0]), port), timeout=STEP)
        except OSError as error:
            last = error
    raise last


def _check_public(text: str) -> None:
    if settings.PRODUCTION and not is_public(ipaddress.ip_address(text.partition("%")[0])):
        raise AddressRefused("The address leads to a machine that the internet does not reach.")


def is_public(address: IPAddress) -> bool:
    """Also of what is wrapped into an IPv6 address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in TRANSLATED:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
        if any(address in network for network in INSIDE):
            return False
    return address.is_global and not address.is_multicast


class _Http(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = _reached(self.host, self.port)


class _Https(http.client.HTTPSConnection):
    def connect(self) -> None:
        plain = _reached(self.host, self.port)
        try:
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise


@contextmanager
def _not_longer_than(seconds: float, connection: http.client.HTTPConnection) -> Iterator[None]:
    late = threading.Event()

    def end() -> None:
        late.set()
        if connection.sock is not None:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is closed already
                return

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError(f"No whole answer within {seconds:g} seconds.")
