from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from enrollment.operations.conflicts import find_conflicts


class Command(BaseCommand):
    help = "Looks for conflicts now: opens what is new, ends what is gone, follows the safe rules."

    def handle(self, *args: Any, **options: Any) -> None:
        found = find_conflicts(now=timezone.now())
        self.stdout.write(
            f"{found.opened} new, {found.gone} gone, {found.settled} resolved by a rule."
        )
