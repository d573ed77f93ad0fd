from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RollbackConfig(AppConfig):
    name = "rollback"
    verbose_name = _("Switchboard")

    def ready(self) -> None:
        from enrollment import personal, sockets
        from enrollment.domain import drawing
        from rollback import switchboard
        from rollback.domain.charts import CHARTS
        from rollback.doors.context import actions_for, links_for
        from rollback.doors.ground import DraftKeeper
        from rollback.personal import CONTRIBUTORS

        switchboard.plug_waffle()
        sockets.plug_keeper(DraftKeeper())
        sockets.plug_links(links_for)
        sockets.plug_actions(actions_for)
        for contributor in CONTRIBUTORS:
            personal.register(contributor)
        for chart in CHARTS:
            drawing.add(chart)
