"""Where the school lies on this machine.

Knows no Django, so that a command line can ask before it loads.
"""

import os
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent.parent


class Problem(Exception):
    """One sentence for whoever sits at the keyboard, shown without a traceback."""


def read_env() -> None:
    """What is set in the environment wins over the line in .env."""
    environ.Env.read_env(BASE_DIR / ".env", overwrite=False)


def setting(name: str, default: str = "") -> str:
    """A variable that is set but empty counts as unset, as in the settings."""
    return os.environ.get(name, "").strip() or default


def var() -> Path:
    """Everything the school writes: data, logs, mails, static files."""
    return Path(setting("SCHOOL_VAR", str(BASE_DIR / "var"))).expanduser().resolve()


def uses_embedded_database() -> bool:
    return not setting("DATABASE_URL") and setting("SCHOOL_ENV", "desk") != "production"
