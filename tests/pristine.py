"""A copy of a worker's database as the migrations have made and filled it, before any test has."""

import psycopg
from django.conf import settings
from psycopg import sql


def name_of(database: str) -> str:
    return f"{database}_pristine"


def keep(database: str) -> None:
    server("DROP DATABASE IF EXISTS {}", name_of(database))
    server("CREATE DATABASE {} TEMPLATE {}", name_of(database), database)


def server(statement: str, *names: str) -> None:
    address = psycopg.conninfo.make_conninfo(settings.DATABASE_URL, dbname="postgres")
    with psycopg.connect(address, autocommit=True) as connection:
        identifiers = map(sql.Identifier, names)
        connection.execute(sql.SQL(statement).format(*identifiers))
