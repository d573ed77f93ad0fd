"""What of the console somebody may see and do, besides stepping down: who may turn a flag need not be
one who may read incidents or the audit.
"""

from dataclasses import dataclass, replace

from django.http import HttpRequest

from rollback.console.readings import Readings


@dataclass(frozen=True, kw_only=True)
class May:
    give: bool
    acknowledge: bool
    see_incidents: bool
    see_changes: bool
    see_phases: bool
    publish: bool

    @classmethod
    def of(cls, request: HttpRequest) -> "May":
        has = request.user.has_perm
        return cls(
            give=has("rollback.raise_flag"),
            acknowledge=has("rollback.change_incident"),
            see_incidents=has("rollback.view_incident"),
            see_changes=has("rollback.view_flagchange"),
            see_phases=has("rollback.view_phaserun"),
            publish=has("rollback.add_publicupdate"),
        )


def without_what_is_others(found: Readings, may: May) -> Readings:
    """That there is an incident is told to everybody here; what it is called is not."""
    if may.see_incidents:
        return found
    for incident in found.incidents or ():
        incident.title = ""
    events = found.events and replace(found.events, lines=())
    return replace(found, events=events)
