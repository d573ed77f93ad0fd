from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SchedulingConfig(AppConfig):
    name = "scheduling"
    verbose_name = _("Scheduling")

    def ready(self) -> None:
        from enrollment import personal
        from enrollment.importing import registry
        from scheduling.operations.import_hours import HOURS
        from scheduling.operations.personal import TEACHING_HOURS
        from scheduling.operations.personal_requests import PROGRAM_REQUESTS

        registry.register(HOURS)
        personal.register(TEACHING_HOURS)
        personal.register(PROGRAM_REQUESTS)
