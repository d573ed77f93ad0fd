"""Whether every process that lives runs the flags as they are now."""

from django.utils.translation import gettext as _

from rollback import processes
from rollback.domain.verification import Found, ProbeFailed


def switchboard() -> Found:
    """Who has not just answered gets the second that a change is given. :raises ProbeFailed:

    Silent ones are named and no finding: without the database they have switched off by themselves.
    """
    found = processes.wait_for_all()
    if found is None:
        raise ProbeFailed(_("Which processes run it cannot be read now."))
    word = _("Version %(version)s") % {"version": found.version}
    words = " ".join(processes.sentences(found, word=word))
    facts = {
        "version": found.version,
        "reached": len(found.reached),
        "waiting": len(found.waiting),
        "silent": len(found.silent),
    }
    if found.waiting:
        raise ProbeFailed(words, **facts)
    return Found(words=words, facts=facts)
