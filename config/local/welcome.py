"""What `make run` says when everything is up: where to look, who may log in, how to stop."""

import os

import psycopg
from rich.console import Console
from rich.table import Table

from config.local import place
from config.local.sample import LOGINS, PASSWORD, Login


def show(console: Console, database_url: str) -> None:
    addresses = Table.grid(padding=(0, 2))
    addresses.add_row("School", os.environ.get("SITE_URL", ""))
    addresses.add_row("Office", os.environ.get("SITE_URL", "") + "/admin/")
    if reader := place.setting("MAIL_READER_URL"):
        addresses.add_row("Mails", reader)
    addresses.add_row("Logs", str(place.var() / "log"))
    console.print("\n[bold green]The school is open.[/]")
    console.print(addresses)
    if logins := _logins(database_url):
        console.print(_table(logins))
    console.print("Ctrl-C stops all of it; nothing is lost.\n")


def _logins(database_url: str) -> list[Login]:
    """Those of the sample that exist here; a real school has none of them."""
    try:
        with psycopg.connect(database_url) as connection:
            emails = [login.email for login in LOGINS]
            query = "SELECT email FROM enrollment_user WHERE email = ANY(%s)"
            found = {row[0] for row in connection.execute(query, [emails])}
    except psycopg.Error:
        return []
    return [login for login in LOGINS if login.email in found]


def _table(logins: list[Login]) -> Table:
    table = Table(title=f"Sample logins, all with the password {PASSWORD}", title_justify="left")
    for heading in ("Who", "Login", "May"):
        table.add_column(heading)
    for login in logins:
        table.add_row(login.role, login.email, login.may)
    return table
