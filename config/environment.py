"""Reading the environment: each value checked where it enters, with a sentence that tells what to do."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import environ
from django.conf.global_settings import LANGUAGES
from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

LOCAL_HOSTS = {"localhost", ".localhost", "127.0.0.1", "[::1]"}
DESK_KEY_PREFIX = "desk-only-"


def text(env: environ.Env, name: str, default: str) -> str:
    """A variable that is set but empty counts as unset, so that .env.example can be copied as it is."""
    return str(env.str(name, default="")).strip() or default


def words(env: environ.Env, name: str, default: list[str]) -> list[str]:
    return [word.strip() for word in text(env, name, "").split(",") if word.strip()] or default


def choice(env: environ.Env, name: str, choices: tuple[str, ...], default: str) -> str:
    value = text(env, name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is “{value}”; set it to one of {', '.join(choices)}.")
    return value


def number(env: environ.Env, name: str, default: int) -> int:
    value = text(env, name, str(default))
    if not value.isdecimal():
        raise ImproperlyConfigured(f"{name} is “{value}”; set it to a whole number from 0 up.")
    return int(value)


def positive(env: environ.Env, name: str, default: int) -> int:
    value = text(env, name, str(default))
    if not (value.isdecimal() and int(value)):
        raise ImproperlyConfigured(f"{name} is “{value}”; set it to a whole number from 1 up.")
    return int(value)


def at_least(env: environ.Env, name: str, default: int, *, fewest: int) -> int:
    value = text(env, name, str(default))
    if not (value.isdecimal() and int(value) >= fewest):
        raise ImproperlyConfigured(
            f"{name} is “{value}”; set it to a whole number from {fewest} up."
        )
    return int(value)


def percent(env: environ.Env, name: str, default: int) -> int:
    value = text(env, name, str(default))
    if not (value.isdecimal() and int(value) <= 100):
        raise ImproperlyConfigured(f"{name} is “{value}”; set it to a whole number from 0 to 100.")
    return int(value)


def boolean(env: environ.Env, name: str, *, default: bool) -> bool:
    return choice(env, name, ("true", "false"), str(default).lower()) == "true"


def socket_address(env: environ.Env, name: str) -> str:
    """Without a slash at the end; empty where none is set."""
    value = text(env, name, "").rstrip("/")
    parts = urlsplit(value)
    if value and not (parts.scheme in ("ws", "wss") and parts.hostname):
        raise ImproperlyConfigured(
            f"{name} is “{value}”; set it to an address like wss://school.example, or leave it empty."
        )
    return value


def redis_address(env: environ.Env, name: str) -> str:
    """Empty where none is set."""
    value = text(env, name, "")
    parts = urlsplit(value)
    if value and not (
        parts.scheme in ("redis", "rediss", "unix") and (parts.hostname or parts.path)
    ):
        raise ImproperlyConfigured(
            f"{name} is “{value}”; set it to an address like redis://localhost:6379/0, or leave it empty."
        )
    return value


def ping_address(env: environ.Env, name: str, *, https_only: bool) -> str:
    """Empty where none is set."""
    value = text(env, name, "")
    parts = urlsplit(value)
    schemes = ("https",) if https_only else ("https", "http")
    if value and not (parts.scheme in schemes and parts.hostname and not parts.username):
        # Not the address itself: whoever knows it can pretend that all is well.
        raise ImproperlyConfigured(
            f"{name} is no address that can be asked for; set it to one like "
            "https://hc-ping.com/your-check, or leave it empty."
        )
    return value


def metrics_token(env: environ.Env, name: str) -> str:
    """Empty where none is set."""
    value = text(env, name, "")
    if value and not (
        len(value) >= 20 and value.isascii() and value.isprintable() and " " not in value
    ):
        raise ImproperlyConfigured(
            f"{name} must be at least 20 random letters and digits without spaces; make one with "
            "`openssl rand -hex 24`, or leave it empty."
        )
    return value


def networks(env: environ.Env, name: str) -> list[IPv4Network | IPv6Network]:
    """Empty where none is set; an address stands for itself."""
    found = []
    for word in words(env, name, []):
        try:
            network = ip_network(word)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} names “{word}”, which is no address and no network; set it to ones like "
                "10.1.2.3, 10.1.0.0/16 or fd00::/8, separated by commas. In a network the part that "
                "varies is 0."
            ) from error
        if network.prefixlen == 0:
            raise ImproperlyConfigured(
                f"{name} names “{word}”, which is everybody; name the addresses of who scrapes, or set "
                "METRICS_TOKEN instead."
            )
        found.append(network)
    return found


def folder(env: environ.Env, name: str, default: Path) -> Path:
    """Whole: what is relative would mean another place for each program that is started elsewhere."""
    value = text(env, name, str(default))
    found = Path(value).expanduser()
    if not found.is_absolute() or (found.exists() and not found.is_dir()):
        raise ImproperlyConfigured(
            f"{name} is “{value}”, which is no folder; set it to a whole path like /srv/backups."
        )
    return found


def signing_key(env: environ.Env, name: str) -> str:
    """Empty where none is set."""
    value = text(env, name, "")
    if value and (len(value) < 32 or len(set(value)) < 10):
        raise ImproperlyConfigured(
            f"{name} must be at least 32 random characters; make one with `openssl rand -hex 24`, or "
            "leave it empty."
        )
    return value


def database_address(env: environ.Env, name: str) -> str:
    """Empty where none is set."""
    value = text(env, name, "")
    try:
        conninfo_to_dict(value)
    except ProgrammingError as error:
        raise ImproperlyConfigured(
            f"{name} cannot be read; write it like postgresql://user:password@host:5432/name, or leave "
            "it empty."
        ) from error
    return value


def zone(env: environ.Env, name: str, default: str) -> str:
    value = text(env, name, default)
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError) as error:
        raise ImproperlyConfigured(
            f"{name} is “{value}”, which is no IANA time zone; set one like Europe/Berlin."
        ) from error
    return value


def languages(env: environ.Env, name: str, default: list[str]) -> list[tuple[str, str]]:
    """Django's LANGUAGES, in the order they are named in. A text that has no translation is English."""
    known = dict(LANGUAGES)
    codes = [code.lower() for code in words(env, name, default)]
    if unknown := [code for code in codes if code not in known]:
        raise ImproperlyConfigured(
            f"{name} names {', '.join(unknown)}, which Django does not know; set it to codes like "
            f"en,de,es or pt-br, each once, out of: {', '.join(known)}."
        )
    if "en" not in codes:
        raise ImproperlyConfigured(
            f"{name} is “{','.join(codes)}”; add en, which whatever is not translated is shown in."
        )
    return [(code, known[code]) for code in dict.fromkeys(codes)]


# To compile a statement, or to begin workers for it, takes longer than any of ours runs.
NO_DETOURS = "-c jit=off -c max_parallel_workers_per_gather=0"


def database(url: str, *, pooled: bool) -> dict[str, Any]:
    """Django's DATABASES entry for a libpq address: persistent, prepared, JIT off.

    JIT alone costs the slots query a factor of 30 to 140. Behind a transaction pooler neither
    prepared statements nor start-up options survive, so `pooled` leaves both out.
    """
    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError as error:
        raise ImproperlyConfigured(
            "DATABASE_URL cannot be read; write it like postgresql://user:password@host:5432/name."
        ) from error
    options: dict[str, Any] = {
        key: value
        for key, value in parts.items()
        if key not in {"host", "port", "user", "password", "dbname"}
    }
    # A server that hangs must not keep a page, and the thread that makes it, for long.
    options["connect_timeout"] = int(options.get("connect_timeout", 3))
    options.setdefault("tcp_user_timeout", "10000")
    if not pooled:
        options["options"] = f"{options.get('options', '')} {NO_DETOURS}".strip()
        options["server_side_binding"] = True
        options["prepare_threshold"] = 1
    return {
        "ENGINE": "rollback.database",
        "NAME": parts.get("dbname") or "postgres",
        "USER": parts.get("user") or "",
        "PASSWORD": parts.get("password") or "",
        "HOST": parts.get("host") or "",
        "PORT": str(parts.get("port") or ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": pooled,
        "OPTIONS": options,
    }


# The host is not used, the connection string is; but kombu warns about an address without one.
OWN_QUEUE = "pgmq://localhost"


# A page that enqueues waits no longer than this for a queue that is away or hangs.
BROKER_SECONDS = 2


def broker_options(broker_url: str, database_url: str) -> dict[str, Any]:
    """What kombu's transport needs so that no page waits long; pgmq's also what makes it quick."""
    # One try: kombu would otherwise wait 2, 4, 6 … seconds between as many as its timeout holds.
    options: dict[str, Any] = {"max_retries": 0}
    scheme = broker_url.partition(":")[0]
    if scheme == "pgmq":
        return options | _pgmq_options(broker_url, database_url)
    if scheme in {"redis", "rediss", "sentinel"}:
        options |= {"socket_connect_timeout": BROKER_SECONDS, "socket_timeout": BROKER_SECONDS}
    return options


def _pgmq_options(broker_url: str, database_url: str) -> dict[str, Any]:
    """It wants libpq's form of an address, not one with ?host=."""
    options: dict[str, Any] = {
        "init_extension": False,
        "use_notify": True,
        # Without it the transport waits at each empty queue in turn, and a task up to seconds.
        "wait_time_seconds": 0,
        "pool_size": 4,
        "pool_timeout": BROKER_SECONDS,
    }
    if broker_url == OWN_QUEUE:
        parts = {"connect_timeout": BROKER_SECONDS, **conninfo_to_dict(database_url)}
        options["conn_string"] = make_conninfo("", **parts)
    return options


def refuse_desk_key(*, secret_key: str, allowed_hosts: list[str]) -> None:
    """Everybody knows the desk's key and could sign a session with it.

    :raises ImproperlyConfigured: it would be used where others can reach the school.
    """
    public = sorted(set(allowed_hosts) - LOCAL_HOSTS)
    if public and secret_key.startswith(DESK_KEY_PREFIX):
        raise ImproperlyConfigured(
            f"ALLOWED_HOSTS names {', '.join(public)}, and SECRET_KEY is the one every desk has: set "
            "SECRET_KEY to at least 50 random characters, and SCHOOL_ENV=production if this is the "
            "school's own server."
        )


def refuse_unsafe(
    *,
    secret_key: str,
    allowed_hosts: list[str],
    site_url: str,
    database_named: bool,
    email_named: bool,
    backups_named: bool,
    guarded: bool,
) -> None:
    """:raises ImproperlyConfigured: naming every unsafe value at once."""
    problems = []
    if len(secret_key) < 50 or len(set(secret_key)) < 10 or secret_key.startswith(DESK_KEY_PREFIX):
        problems.append("SECRET_KEY must be at least 50 random characters of its own.")
    if "*" in allowed_hosts or not set(allowed_hosts) - LOCAL_HOSTS:
        problems.append("ALLOWED_HOSTS must name the school's own hosts, and never *.")
    if not site_url.startswith("https://"):
        problems.append("SITE_URL must begin with https://.")
    if not database_named:
        problems.append("DATABASE_URL must be set; the embedded database is for desks.")
    if not email_named:
        problems.append("EMAIL_URL must be set; the mail catcher is for desks.")
    if not backups_named:
        problems.append(
            "BACKUP_DIR must be set, best to a folder on another disk than the database's."
        )
    if not guarded:
        problems.append(
            "SCHEMA_GUARD must not be false: `migrate` would change the schema without a proved backup. "
            "For an emergency there is SCHEMA_BREAK_GLASS."
        )
    if problems:
        raise ImproperlyConfigured("Not safe for production:\n- " + "\n- ".join(problems))
