from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RollbackConfig(AppConfig):
    name = "rollback"
    verbose_name = _("Switchboard")

    def ready(self) -> None:
        from enrollment import sockets
        from rollback import switchboard
        from rollback.doors.context import links_for
        from rollback.doors.ground import DraftKeeper

        switchboard.plug_waffle()
        sockets.plug_keeper(DraftKeeper())
        sockets.plug_links(links_for)
