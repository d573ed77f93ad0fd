"""Everything a start needs, each step skipped where it is done already."""

import tempfile
from argparse import ArgumentParser
from decimal import Decimal
from io import StringIO
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from psycopg import Error as DatabaseError

from config import statics
from config.broker import install_queue, queue_conninfo
from config.local import place
from config.local.check import check_reachable
from config.local.sample import FLAGS, LOGINS, PASSWORD
from config.zones import zone_data
from holidays.operations.sample import show_closures
from rollback import doctor, keeping, runner
from rollback.safely import planning
from scheduling.operations.sample import show_more


class Command(BaseCommand):
    help = (
        "Brings the database, the queue and the static files up to date; --sample fills a school."
    )
    # The checks of a start are `manage.py check`; here they would cost every start half a second.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--sample",
            action="store_true",
            help="load the sample school, with its demo logins, into a school without courses",
        )

    def handle(self, *args: Any, sample: bool = False, **options: Any) -> None:
        if sample and settings.PRODUCTION:
            raise CommandError(
                "--sample creates logins with a known password and is refused in production; "
                "leave it out, or unset SCHOOL_ENV on a desk."
            )
        try:
            check_reachable(settings.DATABASE_URL)
            self._bring_up_to_date()
            if sample and not _has_courses():
                _refuse_without_tables()
                self._load_sample()
        except place.Problem as problem:
            raise CommandError(str(problem)) from problem

    def _bring_up_to_date(self) -> None:
        self._queue()
        if unknown := doctor.older():
            raise CommandError(f"{unknown.words}\nNext: {unknown.next}")
        if planning.plan_of():
            self.stdout.write("Bringing the database up to date …")
            call_command("migrate", interactive=False, verbosity=0)
        for words in planning.staying(keeping.apps_away()):
            self.stdout.write(words)
        call_command("createcachetable", verbosity=0)
        for warning in zone_data(databases=["default"]):
            self.stderr.write(self.style.WARNING(f"{warning.msg} {warning.hint}"))
        if statics.changed():
            self.stdout.write("Collecting static files …")
            statics.collect()

    def _queue(self) -> None:
        options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
        if conninfo := queue_conninfo(settings.CELERY_BROKER_URL, options):
            try:
                install_queue(conninfo)
            except DatabaseError as error:
                raise CommandError(f"The queue could not be installed: {error}") from error

    def _load_sample(self) -> None:
        """All or nothing: a sample that was cut off is loaded again by the next start."""
        self.stdout.write("Loading the sample school …")
        with tempfile.TemporaryDirectory(prefix="school-sample-") as folder:
            call_command("sample_school", folder, stdout=StringIO())
            with transaction.atomic():
                call_command("import_school", folder)
                _create_logins()
                show_more(email=LOGINS[1].email, now=timezone.now())
                show_closures(email=LOGINS[1].email, now=timezone.now())
                # Not by the command, which waits until every process has heard of what is committed.
                runner.set_shares(
                    flags=FLAGS,
                    percent=Decimal(100),
                    actor=runner.actor_at_the_terminal(),
                    reason="sample school",
                )


def _refuse_without_tables() -> None:
    if away := keeping.apps_away():
        raise CommandError(
            f"The sample school needs the tables of {', '.join(sorted(away))}, which are in the archive. "
            "Bring them back first: manage.py rollback reapply"
        )


def _has_courses() -> bool:
    return bool(apps.get_model("enrollment", "Course")._default_manager.exists())


def _create_logins() -> None:
    """The student and the teacher came with the import; the office's two are ours."""
    users = get_user_model()._default_manager
    for login in LOGINS:
        user, _ = users.get_or_create(email=login.email, defaults={"first_name": login.role})
        user.set_password(PASSWORD)
        user.is_staff = login.role in {"Staff", "Admin"}
        user.is_superuser = login.role == "Admin"
        user.save()
        if login.role == "Staff":
            user.groups.add(Group.objects.get_or_create(name="staff")[0])
