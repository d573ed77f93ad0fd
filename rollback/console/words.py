"""An audit row in words."""

from typing import Any

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rollback import exposure
from rollback.models import ALL_FLAGS, FlagChange

# Said in words as well: nobody has to see the color.
ALARM = '<strong class="text-red-700 dark:text-red-400">{}</strong>'


def title(flag: str) -> str:
    return _("All features") if flag == ALL_FLAGS else exposure.title(flag)


def who(change: FlagChange) -> str:
    if change.is_unexplained:
        return format_html(ALARM, unexplained(change))
    if change.actor_kind == FlagChange.Kind.AUTOMATIC:
        return _("%(name)s, automatically") % {"name": change.actor_name}
    return change.actor_name


def action(change: FlagChange) -> str:
    """The row has it in English, as the terminal says it."""
    words = {
        "set share": _("set share"),
        "kill": _("kill"),
        "restore": _("restore"),
        "set early users": _("set early users"),
        "created": _("created"),
        "changed": _("changed"),
        "deleted": _("deleted"),
    }
    return words.get(change.action, change.action)


def unexplained(change: FlagChange) -> str:
    session = change.session
    told = {
        "user": session.get("user", change.actor_name),
        "application": session.get("application") or _("no application name"),
        "address": session.get("address") or _("this machine"),
        "at": date_format(localtime(change.changed_at), "DATETIME_FORMAT"),
    }
    words = (
        _(
            "Changed without a reason, by database user %(user)s (%(application)s, from %(address)s) "
            "at %(at)s."
        )
        % told
    )
    claimed = session.get("claimed")
    if not claimed:
        return words
    said = ", ".join(f"{name}: {value}" for name, value in claimed.items())
    return " ".join([words, _("It claimed “%(said)s”.") % {"said": said}])


def last_change(change: FlagChange) -> str:
    if change.is_unexplained:
        return format_html("{}<br>{}", who(change), difference(change))
    told = {
        "difference": difference(change),
        "who": who(change),
        "at": date_format(localtime(change.changed_at), "DATETIME_FORMAT"),
        "reason": change.reason,
    }
    return _("%(difference)s, by %(who)s at %(at)s: “%(reason)s”") % told


def difference(change: FlagChange) -> str:
    """before → after, of what differs."""
    before, after = change.before, change.after
    if not before or not after:
        return f"{_state(before)} → {_state(after)}"
    parts = []
    if _state(before) != _state(after):
        parts.append(f"{_state(before)} → {_state(after)}")
    elif before.get("share") != after.get("share"):  # killed before and after
        parts.append(f"{before['share']} % → {after['share']} %")
    parts += [
        f"{name}: {_value(before[key])} → {_value(after[key])}"
        for key, name in _early().items()
        if before.get(key) != after.get(key) and key in before
    ]
    return ", ".join(parts)


def _early() -> dict[str, str]:
    return {
        "staff": _("early for staff"),
        "superusers": _("early for superusers"),
        "users": _("early users"),
        "master": _("master"),
        "salt": _("salt"),
    }


def _state(facts: dict[str, Any]) -> str:
    if "share" not in facts:
        return _("there") if facts else _("not there")
    return _("killed") if facts["killed"] else f"{facts['share']} %"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ngettext("%(count)d person", "%(count)d people", len(value)) % {"count": len(value)}
    return str(value) if value else "–"
