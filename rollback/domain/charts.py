"""The state tables of incidents and plans, for docs/reference/states.md."""

from enrollment.domain.drawing import Chart
from rollback.domain.incidents import INCIDENT_STEPS, IncidentState
from rollback.domain.plans import PLAN_STEPS, PlanState

CHARTS = (
    Chart(
        title="Incident",
        text="""\
Contained: every process that lives has switched off. Verified: all probes passed afterwards. Both are the
machine's, and may come before anybody has acknowledged; resolving and reviewing are a person's. Nothing
is ever opened again: what comes back is a new incident.
""",
        steps=INCIDENT_STEPS,
        starts=(IncidentState.OPEN,),
    ),
    Chart(
        title="Rollback plan",
        text="""\
Running and paused are live: there is at most one live plan down and one up.
""",
        steps=PLAN_STEPS,
        starts=(PlanState.RUNNING,),
    ),
)
