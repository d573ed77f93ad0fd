"""The triggers of the specification, as rows. Undoing leaves them: an older release reads none of them,
and they may have been edited since.
"""

from typing import Any

from django.db import migrations

MASTER = "ENABLE_TEACHER_SCHEDULING"
CALENDAR = "ENABLE_CALENDAR_DISPLAY"
FEATURES = {
    "scheduling": MASTER,
    "calendar": CALENDAR,
    "availability": "ENABLE_AVAILABILITY_API",
    "holidays": "ENABLE_HOLIDAY_MANAGEMENT",
}
MINUTE, HOUR, DAY = 60, 3600, 86_400
REASON = "The values of the specification."


def _errors(name: str, flag: str) -> dict[str, Any]:
    return {
        "name": f"errors-{name}",
        "title": f"Errors above 2 % for more than five minutes: {name}",
        "metric": "requests",
        "method": "sustained share",
        "feature": flag,
        "flags": [flag],
        "threshold": 0.02,
        "window_seconds": MINUTE,
        "held_seconds": 5 * MINUTE,
        "min_total": 60,
        "min_bad": 10,
        "action": "kill",
        "kind": "errors",
        "severity": 2,
    }


# M2: taken away by itself. A share of slow loads above a fifth, and not a mean, is "consistently".
TAKEN_AWAY = [
    *(_errors(name, flag) for name, flag in FEATURES.items()),
    {
        "name": "completion",
        "title": "Fewer than 70 % of the enrollments are completed",
        "metric": "completion",
        "method": "share below",
        "feature": MASTER,
        "flags": [MASTER],
        "threshold": 0.70,
        "window_seconds": DAY,
        "min_total": 20,
        "action": "plan",
        "kind": "incomplete",
        "severity": 1,
    },
    {
        "name": "database",
        "title": "Processes have lost the database",
        "metric": "processes without database",
        "method": "more than",
        "flags": [MASTER],
        "threshold": 0.5,
        "window_seconds": 2 * MINUTE,
        "action": "kill",
        "kind": "database",
        "severity": 1,
    },
    {
        "name": "calendar-slow",
        "title": "The calendar takes more than two seconds, consistently",
        "metric": "calendar over 2 s",
        "method": "sustained share",
        "feature": CALENDAR,
        "flags": [CALENDAR],
        "threshold": 0.20,
        "window_seconds": MINUTE,
        "held_seconds": 5 * MINUTE,
        "min_total": 60,
        "min_bad": 10,
        "action": "kill",
        "kind": "slow",
        "severity": 2,
    },
    # Each person is one load in five minutes, so at most eight in all that is looked back on (half an
    # hour and a minute): two of them alone are never 20 bad ones.
    {
        "name": "calendar-slow-browsers",
        "title": "The calendar takes more than two seconds in the browsers, consistently",
        "metric": "browser loads over 2 s",
        "method": "sustained share",
        "feature": CALENDAR,
        "flags": [CALENDAR],
        "threshold": 0.20,
        "window_seconds": MINUTE,
        "held_seconds": 5 * MINUTE,
        "min_total": 40,
        "min_bad": 20,
        "action": "kill",
        "kind": "slow",
        "severity": 2,
    },
]
# M1: said.
ALERTS = [
    {
        "name": "completion-low",
        "title": "Enrollment completion below 85 %",
        "metric": "completion",
        "method": "share below",
        "threshold": 0.85,
        "window_seconds": DAY,
        "min_total": 20,
    },
    {
        "name": "calendar-load",
        "title": "Calendar loads above 500 ms (95th percentile)",
        "metric": "calendar over 500 ms",
        "method": "95th percentile",
        "feature": CALENDAR,
        "threshold": 0.05,
        "window_seconds": 5 * MINUTE,
        "min_total": 20,
    },
    {
        "name": "calendar-load-browsers",
        "title": "Calendar loads above 500 ms in the browsers (95th percentile)",
        "metric": "browser loads over 500 ms",
        "method": "95th percentile",
        "feature": CALENDAR,
        "threshold": 0.05,
        "window_seconds": 5 * MINUTE,
        "min_total": 20,
        "min_bad": 5,
    },
    {
        "name": "api-errors",
        "title": "API errors above 1 %",
        "metric": "api",
        "method": "sustained share",
        "threshold": 0.01,
        "window_seconds": MINUTE,
        "held_seconds": 5 * MINUTE,
        "min_total": 60,
        "min_bad": 5,
    },
    {
        "name": "database-slow",
        "title": "Database queries above 100 ms (95th percentile)",
        "metric": "queries over 100 ms",
        "method": "95th percentile",
        "threshold": 0.05,
        "window_seconds": 5 * MINUTE,
        "min_total": 100,
    },
    {
        "name": "database-connections",
        "title": "Connections to the database fail",
        "metric": "failed connections",
        "method": "share above",
        "threshold": 0.01,
        "window_seconds": 5 * MINUTE,
        "min_total": 5,
        "min_bad": 3,
    },
    {
        "name": "abandoned",
        "title": "More than 15 % of the enrollments are abandoned",
        "metric": "abandoned",
        "method": "share above",
        "threshold": 0.15,
        "window_seconds": DAY,
        "min_total": 20,
    },
]
# M3: put before a person.
CASES = [
    {
        "name": "complaints",
        "title": "More than five people complained within an hour",
        "metric": "complaints",
        "threshold": 5,
        "window_seconds": HOUR,
        "severity": 3,
    },
    {
        "name": "availability-conflicts",
        "title": "Scheduling conflicts are open",
        "metric": "availability conflicts",
        "threshold": 0,
        "window_seconds": DAY,
        "severity": 4,
    },
    {
        "name": "holiday-inconsistencies",
        "title": "Holidays contradict each other",
        "metric": "holiday inconsistencies",
        "threshold": 0,
        "window_seconds": DAY,
        "severity": 4,
    },
    {
        "name": "payments",
        "title": "Somebody reported a problem with a payment",
        "metric": "payment issues",
        "threshold": 0,
        "window_seconds": DAY,
        "severity": 3,
    },
]


def wanted() -> list[dict[str, Any]]:
    alert = {"action": "alert", "severity": 4}
    case = {"action": "case", "kind": "case", "method": "more than", "cooldown_seconds": DAY}
    return [*TAKEN_AWAY, *(alert | row for row in ALERTS), *(case | row for row in CASES)]


def fill(apps: Any, schema_editor: Any) -> None:
    trigger, version = (
        apps.get_model("rollback", "Trigger"),
        apps.get_model("rollback", "TriggerVersion"),
    )
    for row in wanted():
        made, is_new = trigger.objects.get_or_create(name=row["name"], defaults=row)
        if is_new:
            rule = {
                field.name: getattr(made, field.name)
                for field in trigger._meta.get_fields()
                if field.name not in ("id", "version")
            }
            version.objects.create(
                trigger_name=made.name, version=1, rule=rule, actor_name="migration", reason=REASON
            )


class Migration(migrations.Migration):
    dependencies = [("rollback", "0018_expand_engine_triggers")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
