"""deploy/: what Grafana and Prometheus are told to look at is there."""

import json
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.test import Client

from tests.rollback.flag_rows import seed_flags

DEPLOY = Path(settings.BASE_DIR) / "deploy"
NAME = re.compile(r"\bschool_[a-z0-9_]+")
ALARMS = {
    "SchoolNobodyIsWatching", "SchoolErrors", "SchoolApiErrors", "SchoolCalendarSlow",
    "SchoolCalendarLoad", "SchoolCalendarSlowInBrowsers", "SchoolCalendarLoadInBrowsers",
    "SchoolQueriesSlow", "SchoolConnectionsFail", "SchoolCompletionLow",
    "SchoolEnrollmentsAbandoned", "SchoolManyComplain", "SchoolTriggerBreached",
    "SchoolTakesSomethingAway", "SchoolCaseToDecide", "SchoolPageNotSent", "SchoolMailsGivenUp",
}  # fmt: skip


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    return found


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load((DEPLOY / "prometheus-rules.yml").read_text())
    return [rule for group in found["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    panels = dashboard()["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    asked += [one["expr"] for one in dashboard()["annotations"]["list"]]
    return [*asked, *(rule["expr"] for rule in rules())]


@pytest.fixture
def exported(client: Client, transactional_db: None, settings: Any) -> set[str]:
    """Asked on a connection of its own, which sees what is committed."""
    seed_flags()
    settings.METRICS_ALLOW = [ip_network("127.0.0.1")]
    text = client.get("/metrics").content.decode()
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def test_every_number_that_is_asked_for_is_exported(exported: set[str]) -> None:
    asked = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(asked) > 15
    assert asked <= exported, asked - set(exported)


def test_every_number_that_is_exported_is_looked_at(exported: set[str]) -> None:
    asked = {name for expression in expressions() for name in NAME.findall(expression)}
    assert exported - asked == {"school_flags_version", "school_trigger_share"}


def test_the_dashboard_is_one() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or panel["targets"]
    fields = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(fields) == len(set(fields)), "two panels lie on each other"


def test_every_alarm_says_what_is_wrong() -> None:
    assert {rule["alert"] for rule in rules()} >= ALARMS
    for rule in rules():
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_only_what_took_something_away_wakes_somebody() -> None:
    """A report of a problem needs no login and opens a case of severity 3: nobody is paged for it."""
    pages = [
        rule["expr"]
        for rule in rules()
        if "incidents" in rule["expr"] and rule["labels"]["severity"] == "page"
    ]
    assert len(pages) == 1
    assert 'severity=~"1|2"' in pages[0]
    paged = [rule["expr"] for rule in rules() if rule["labels"]["severity"] == "page"]
    assert not any("complain" in expression or "case" in expression for expression in paged)


def test_values_that_are_asked_for_exist() -> None:
    """A label's value with a typing error is an alarm that never comes."""
    from rollback.domain.metrics import Metric, Verdict
    from rollback.models import Incident, Notification, Trigger

    known = {
        "metric": {one.value for one in Metric},
        "verdict": {one.value for one in Verdict},
        "action": set(Trigger.Action.values),
        "state": {"open", "finished", "abandoned", "behind", "up_to_date", "silent"},
        "on": {"yes", "no"},
        "severity": {str(value) for value in Incident.Severity.values},
        "job": {"school"},
        "urgency": {one.name.lower() for one in Notification.Urgency},
    }
    seen = set()
    for expression in expressions():
        for label, how, values in re.findall(r'(\w+)(=~?)"([^"]*)"', expression):
            for value in values.split("|") if how == "=~" else [values]:
                pattern = value if how == "=~" else re.escape(value)
                assert any(re.fullmatch(pattern, one) for one in known[label]), (label, value)
                seen.add(label)
    assert seen == set(known)


def test_the_scraping_example_asks_our_page_with_a_token() -> None:
    found = yaml.safe_load((DEPLOY / "prometheus-scrape.yml").read_text())
    (job,) = found["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("school", "/metrics")
    assert job["authorization"]["type"] == "Bearer"
    assert found["rule_files"] == ["prometheus-rules.yml"]
