"""Reading the environment: each value checked where it enters, with a sentence that tells what to do."""

from typing import Any
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo


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


def boolean(env: environ.Env, name: str, *, default: bool) -> bool:
    return choice(env, name, ("true", "false"), str(default).lower()) == "true"


def zone(env: environ.Env, name: str, default: str) -> str:
    value = text(env, name, default)
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError) as error:
        raise ImproperlyConfigured(
            f"{name} is “{value}”, which is no IANA time zone; set one like Europe/Berlin."
        ) from error
    return value


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
    options["connect_timeout"] = int(options.get("connect_timeout", 5))
    if not pooled:
        options["options"] = f"{options.get('options', '')} -c jit=off".strip()
        options["server_side_binding"] = True
        options["prepare_threshold"] = 1
    return {
        "ENGINE": "django.db.backends.postgresql",
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


def broker_options(broker_url: str, database_url: str) -> dict[str, Any]:
    """What kombu's pgmq transport needs; it wants libpq's form, not an address with ?host=."""
    if not broker_url.startswith("pgmq:"):
        return {}
    options: dict[str, Any] = {
        "init_extension": False,
        "use_notify": True,
        # Without it the transport waits at each empty queue in turn, and a task up to seconds.
        "wait_time_seconds": 0,
        "pool_size": 4,
        # A page that enqueues must not wait for a database that hangs.
        "pool_timeout": 3,
    }
    if broker_url == OWN_QUEUE:
        options["conn_string"] = make_conninfo("", **conninfo_to_dict(database_url))
    return options


def refuse_unsafe(
    *,
    secret_key: str,
    allowed_hosts: list[str],
    site_url: str,
    database_named: bool,
    email_named: bool,
) -> None:
    """:raises ImproperlyConfigured: naming every unsafe value at once."""
    problems = []
    if len(secret_key) < 50 or len(set(secret_key)) < 10 or secret_key.startswith("desk-only-"):
        problems.append("SECRET_KEY must be at least 50 random characters of its own.")
    if "*" in allowed_hosts or not set(allowed_hosts) - {"localhost", "127.0.0.1", "[::1]"}:
        problems.append("ALLOWED_HOSTS must name the school's own hosts, and never *.")
    if not site_url.startswith("https://"):
        problems.append("SITE_URL must begin with https://.")
    if not database_named:
        problems.append("DATABASE_URL must be set; the embedded database is for desks.")
    if not email_named:
        problems.append("EMAIL_URL must be set; the mail catcher is for desks.")
    if problems:
        raise ImproperlyConfigured("Not safe for production:\n- " + "\n- ".join(problems))
