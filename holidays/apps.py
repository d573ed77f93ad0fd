from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class HolidaysConfig(AppConfig):
    name = "holidays"
    verbose_name = _("Holidays")

    def ready(self) -> None:
        from enrollment import personal
        from holidays.operations.personal import CLOSURES

        personal.register(CLOSURES)
