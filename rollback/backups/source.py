"""Which database is backed up, and how it is told from every other."""

from dataclasses import dataclass
from typing import Any, LiteralString
from urllib.parse import quote, urlencode

import psycopg
from django.conf import settings
from django.db import connections
from django.utils.translation import gettext as _
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rollback.backups.failing import BackupFailed

NAME = "school backup"
IDENTITY = """
    SELECT system_identifier::text, current_database()::text,
           current_setting('server_version_num')::int / 10000
      FROM pg_control_system()
"""


class WrongDatabase(BackupFailed):
    pass


class NoDatabase(BackupFailed):
    pass


@dataclass(frozen=True, kw_only=True)
class Identity:
    """system: PostgreSQL's number of the cluster, which a copy of its files shares and no other has.
    server: its major version.
    """

    system: str
    database: str
    server: int


@dataclass(frozen=True)
class Source:
    """address: libpq's."""

    address: str

    def connect(self, *, dbname: str = "", autocommit: bool = True) -> psycopg.Connection[Any]:
        """:raises NoDatabase:"""
        try:
            return psycopg.connect(
                self.at(dbname), autocommit=autocommit, connect_timeout=10, application_name=NAME
            )
        except psycopg.OperationalError as error:
            words = _("The database cannot be reached for a backup: %(error)s")
            raise NoDatabase(words % {"error": str(error).strip()}) from error

    def at(self, dbname: str) -> str:
        return make_conninfo(self.address, dbname=dbname) if dbname else self.address

    def identity(self) -> Identity:
        with self.connect() as connection:
            return identity(connection)


def one_row(connection: psycopg.Connection[Any], query: LiteralString) -> tuple[Any, ...]:
    """Of a query that always has one."""
    row: tuple[Any, ...] | None = connection.execute(query).fetchone()
    if row is None:
        raise LookupError(query)
    return row


def identity(connection: psycopg.Connection[Any]) -> Identity:
    system, database, server = one_row(connection, IDENTITY)
    return Identity(system=system, database=database, server=server)


def school() -> Source:
    """The school's own, as Django reaches it, or as BACKUP_DATABASE_URL does.

    :raises WrongDatabase: that one leads elsewhere
    """
    own = Source(_django_address())
    if not settings.BACKUP_DATABASE_URL:
        if settings.DATABASE_POOLED:
            raise WrongDatabase(
                _(
                    "A backup does not pass a pooler: BACKUP_DATABASE_URL must name the server itself "
                    "while DATABASE_POOLED is true."
                )
            )
        return own
    other = Source(settings.BACKUP_DATABASE_URL)
    if other.identity() != own.identity():
        raise WrongDatabase(
            _(
                "BACKUP_DATABASE_URL leads to another database than DATABASE_URL. Let both name the same "
                "one, or leave it empty."
            )
        )
    return other


def _django_address() -> str:
    parameters: dict[str, Any] = connections["default"].get_connection_params()
    for ours in ("cursor_factory", "context", "server_side_binding", "prepare_threshold"):
        parameters.pop(ours, None)
    return make_conninfo("", **parameters)


def as_url(address: str) -> str:
    """The same as an address with ://, which everything understands that takes one."""
    parts = {
        key: str(value) for key, value in conninfo_to_dict(address).items() if value is not None
    }
    user, password = (quote(parts.pop(key, ""), safe="") for key in ("user", "password"))
    name = quote(parts.pop("dbname", ""), safe="")
    who = f"{user}:{password}@" if password else f"{user}@" if user else ""
    query = urlencode(parts, quote_via=quote)
    return f"postgresql://{who}/{name}" + (f"?{query}" if query else "")
