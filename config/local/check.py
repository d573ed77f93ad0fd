"""Is the database that was named there?"""

import psycopg
from psycopg.conninfo import conninfo_to_dict

from config.local.cluster import DatabaseProblem


def check_reachable(address: str) -> None:
    """:raises DatabaseProblem: one sentence, without the password."""
    try:
        psycopg.connect(address, connect_timeout=5).close()
    except psycopg.ProgrammingError as error:
        raise DatabaseProblem(
            "DATABASE_URL cannot be read; write it like postgresql://user:password@host:5432/name."
        ) from error
    except psycopg.OperationalError as error:
        raise DatabaseProblem(
            f"The database {_place(address)} named by DATABASE_URL cannot be reached "
            f"({_reason(error)}); start it, correct DATABASE_URL, or unset it for the embedded one."
        ) from error


def _place(address: str) -> str:
    parts = conninfo_to_dict(address)
    host, port = parts.get("host") or "localhost", parts.get("port") or 5432
    return f"“{parts.get('dbname') or 'postgres'}” at {host}:{port}"


def _reason(error: psycopg.OperationalError) -> str:
    """libpq tells every address it tried, one a line; the last clause says why."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].split("failed: ")[-1].strip() if lines else type(error).__name__
