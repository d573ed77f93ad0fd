"""How much of what should be judged is judged: what the console's headline says of it."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rollback.console import measured
from rollback.console.readings import Readings
from rollback.models import Trigger


def judged(found: Readings) -> list[Trigger]:
    return [one for one in found.watch.triggers if one.is_enabled] if found.watch else []


def at_fault(found: Readings) -> list[Trigger]:
    watch = found.watch
    return [one for one in judged(found) if watch and measured.cannot_be_judged(watch, one)]


def not_judged(found: Readings) -> str:
    """Not for want of traffic; and not said where nobody watches at all."""
    count = len(at_fault(found)) if measured.is_watched(found) else 0
    words = ngettext(
        "%(count)d of %(all)d measure cannot be judged.",
        "%(count)d of %(all)d measures cannot be judged.",
        count,
    )
    return words % {"count": count, "all": len(judged(found))} if count else ""


def switched_off(found: Readings) -> str:
    if found.watch is None:
        return ""
    if not judged(found):
        return _("Nobody judges anything: all triggers are switched off.")
    count = len(found.watch.triggers) - len(judged(found))
    words = ngettext(
        "%(count)d trigger is switched off.", "%(count)d triggers are switched off.", count
    )
    return words % {"count": count} if count else ""


def nothing(found: Readings) -> str:
    """Empty where nobody judges; that is said by itself."""
    watch, all_of_them = found.watch, judged(found)
    if watch is None or not all_of_them:
        return ""
    open_ones = [one for one in all_of_them if measured.lacks_traffic(watch, one)]
    if not open_ones:
        return _("Nothing is known to be wrong.") if at_fault(found) else _("Nothing is wrong.")
    words = ngettext(
        "Nothing is known to be wrong; %(count)d of %(all)d measure has too little traffic to judge.",
        "Nothing is known to be wrong; %(count)d of %(all)d measures have too little traffic to judge.",
        len(open_ones),
    )
    return words % {"count": len(open_ones), "all": len(all_of_them)}
