"""manage.py draw_states: draw docs/reference/states.md from the state tables."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from enrollment.operations.draw_states import draw_states

PAGE = Path("docs") / "reference" / "states.md"


class Command(BaseCommand):
    help = "Draw docs/reference/states.md from the state tables."

    def handle(self, *args: Any, **options: Any) -> None:
        changed = draw_states(path=settings.BASE_DIR / PAGE)
        self.stdout.write(f"{PAGE} {'drawn' if changed else 'was up to date'}")
