"""What a detector finds. Pure: ids and plain facts, so that a floor above can say it, too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One contradiction that a person, or a safe rule, has to end.

    key: the same thing found again has the same key, within its kind. What a person who has decided
    to keep it must look at anew has another: a lesson's time belongs in the key, if it matters.
    lessons: by id; what the choices of the office are about. enrollment, student, teacher: whom it
    concerns, by id. facts: JSON, for the words.
    """

    kind: str
    key: str
    lessons: tuple[int, ...] = ()
    enrollment: int | None = None
    student: int | None = None
    teacher: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
