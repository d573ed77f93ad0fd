from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SchedulingConfig(AppConfig):
    name = "scheduling"
    verbose_name = _("Scheduling")

    def ready(self) -> None:
        from enrollment import personal
        from enrollment.domain import drawing
        from enrollment.importing import registry
        from scheduling.domain import waiting
        from scheduling.operations.import_hours import HOURS
        from scheduling.operations.personal import TEACHING_HOURS, WAITLIST
        from scheduling.operations.personal_feeds import CALENDAR_FEEDS
        from scheduling.operations.personal_requests import PROGRAM_REQUESTS

        registry.register(HOURS)
        personal.register(CALENDAR_FEEDS)
        personal.register(WAITLIST)
        personal.register(TEACHING_HOURS)
        drawing.add(waiting.CHART)
        personal.register(PROGRAM_REQUESTS)
