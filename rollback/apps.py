import sys
from functools import partial

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy as _


class RollbackConfig(AppConfig):
    name = "rollback"
    verbose_name = _("Switchboard")

    def ready(self) -> None:
        from enrollment import personal, sockets
        from enrollment.domain import drawing
        from enrollment.importing import registry
        from rollback import evaluate, keeping, oncall, safely, sessions, switchboard, trips, watch
        from rollback.database import base as database
        from rollback.domain.charts import CHARTS
        from rollback.domain.processes import kind_of
        from rollback.doors.context import actions_for, links_for
        from rollback.doors.ground import DraftKeeper, wording
        from rollback.personal import CONTRIBUTORS
        from rollback.public import board as notices
        from rollback.rehearsing import surroundings

        # First: nothing of a rehearsal's process may come to the school's own database.
        surroundings.watch()
        # Once for each `migrate`, and not once for each app.
        pre_migrate.connect(safely.check_plan, sender=self, dispatch_uid="schema guard")
        post_migrate.connect(safely.note_the_end, sender=self, dispatch_uid="schema guard")
        switchboard.plug_waffle()
        sockets.plug_keeper(DraftKeeper())
        sockets.plug_links(links_for)
        sockets.plug_actions(actions_for)
        sockets.plug_wording(wording)
        for contributor in CONTRIBUTORS:
            personal.register(contributor)
        personal.plug_reaching(keeping.within_reach)
        registry.plug_away(keeping.is_away)
        for chart in CHARTS:
            drawing.add(chart)
        if notices.board.look not in switchboard.also_read:
            switchboard.also_read.append(notices.board.look)
        if sessions.write not in watch.also_write:
            watch.also_write.append(sessions.write)
        # When beat or its worker is gone, whoever writes samples evaluates as well.
        if evaluate.take_over not in watch.after_write:
            watch.after_write.append(evaluate.take_over)
        # After it: what it has judged just now is not silent.
        if oncall.notice not in watch.after_write:
            watch.after_write.append(oncall.notice)
        watch.plug_patience(partial(database.answers_expected, trips.gives_up))
        # An import or a migration at some terminal says nothing about how pages fare, and is not to
        # evaluate anything meanwhile.
        if kind_of(sys.argv) != "command":
            database.plug(watch.count)
