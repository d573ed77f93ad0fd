"""The state tables of incidents, of what is said about them, and of plans, for docs/reference/states.md."""

from enrollment.domain.drawing import Chart
from rollback.domain.incidents import INCIDENT_STEPS, IncidentState
from rollback.domain.plans import PLAN_STEPS, PlanState
from rollback.domain.public import PUBLIC_STEPS, PublicState

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
        title="What the public is told",
        text="""\
Of an incident that is open any but the last word, as often as there is news, back as well; of one that is
resolved only the last one, which may be corrected.
""",
        steps=PUBLIC_STEPS,
        starts=(PublicState.UNSAID,),
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
