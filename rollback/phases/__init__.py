"""The phases: pages off, then API and tasks, then the tables; and the tables back.

Each way is a row (`PhaseRun`), each of its steps one transaction. Whoever asks writes the row; any process
carries it out, one at a time, and whoever dies is followed by another.
"""

from rollback.phases.asking import ask
from rollback.phases.carrying import carry_out, resume_due
from rollback.phases.deciding import approve, cancel, reopen
from rollback.phases.looking import approve_again, before, is_approved, step_word, why_not_held
from rollback.phases.refusing import PhaseRefused, PhaseRuns

__all__ = [
    "PhaseRefused",
    "PhaseRuns",
    "approve",
    "approve_again",
    "ask",
    "before",
    "cancel",
    "carry_out",
    "is_approved",
    "reopen",
    "resume_due",
    "step_word",
    "why_not_held",
]
