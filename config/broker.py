"""The queue inside PostgreSQL: pgmq's schema, for databases whose host offers no such extension."""

import logging

import psycopg
from pgmq.install import install_pgmq_from_sql

# Any number of ours; two set-ups at the same time must not both see no schema.
INSTALL_LOCK = 6_110_721


def install_queue(conninfo: str) -> bool:
    """True where it was installed now; a second install of the script would fail."""
    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [INSTALL_LOCK])
        if connection.execute("SELECT to_regclass('pgmq.meta')").fetchone() != (None,):
            return False
        logging.getLogger("pgmq").setLevel(logging.WARNING)  # it reports each step at INFO
        install_pgmq_from_sql(conn=connection)
        return True


def queue_conninfo(broker_url: str, options: dict[str, str]) -> str:
    """Empty where the broker is another one, as Redis or RabbitMQ."""
    if not broker_url.startswith("pgmq:"):
        return ""
    return options.get("conn_string") or broker_url.replace("pgmq:", "postgresql:", 1)
