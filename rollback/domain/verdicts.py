"""What stands in the heartbeat about each trigger, for whoever reads it: JSON, so anything may stand there.

Pure. A row that is malformed says nothing; it breaks neither a page nor the evaluation.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rollback.domain.metrics import Verdict

Facts = dict[str, Any]


def facts_of(verdicts: object) -> dict[str, Facts]:
    """Trigger → what was said of it, as it stands but for these, which are always there.

    verdict: one of Verdict, or "". words, template: texts. since: in ISO's words, or "".
    values: a mapping.
    """
    if not isinstance(verdicts, Mapping):
        return {}
    return {str(name): _facts(said) for name, said in verdicts.items() if isinstance(said, Mapping)}


def _facts(said: Mapping[str, Any]) -> Facts:
    values = said.get("values")
    return {
        **said,
        "verdict": verdict if (verdict := _text(said, "verdict")) in set(Verdict) else "",
        "words": _text(said, "words"),
        "template": _text(said, "template"),
        "since": _moment(_text(said, "since")),
        "values": values if isinstance(values, Mapping) else {},
    }


def _text(said: Mapping[str, Any], key: str) -> str:
    found = said.get(key)
    return found if isinstance(found, str) else ""


def _moment(text: str) -> str:
    """With its offset: what follows is compared with others."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return text if at.tzinfo is not None else ""
