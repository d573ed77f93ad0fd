"""The Celery task class: a task of a feature that is off is skipped and counted.

Every line that is logged meanwhile says which task it is, and which request sent it.
"""

import time
from typing import Any

import structlog
from celery import Task
from celery.exceptions import Ignore
from django.contrib.auth import get_user_model
from django.utils import timezone

from rollback import registry, switchboard
from rollback.doors import counting, logged

log = structlog.get_logger(__name__)

# In the headers of the message; what else is sent along is for the task.
SENT_BY = "sent_by_request"


class FeatureTask(Task):  # type: ignore[type-arg]
    """A task about one user names them by the keyword `for_user_id`; they get their own answer."""

    def apply_async(self, *args: Any, **options: Any) -> Any:
        if (sender := logged.current_id()) is not None:
            options["headers"] = {**(options.get("headers") or {}), SENT_BY: sender}
        return super().apply_async(*args, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        known = {"task": self.name, "task_id": self.request.id}
        sender = getattr(self.request, SENT_BY, None)
        if isinstance(sender, str) and logged.SANE.fullmatch(sender):
            known["request"] = sender
        started, outcome = time.perf_counter(), "failed"
        with logged.bound(**known):
            try:
                answer = self._through_the_door(args, kwargs)
                outcome = "done"
            except Ignore:
                outcome = "skipped"
                raise
            finally:
                taken = (time.perf_counter() - started) * 1000
                log.info("task", outcome=outcome, ms=round(taken, 1))
        return answer

    def _through_the_door(self, args: Any, kwargs: Any) -> Any:
        """:raises Ignore:"""
        feature = registry.for_task(self.name)
        if feature is not None and not allowed(feature.flag, kwargs.get("for_user_id")):
            counting.turned_away(feature=feature.flag, door="task", now=timezone.now())
            raise Ignore
        return super().__call__(*args, **kwargs)


def allowed(flag: str, user_id: int | None) -> bool:
    if user_id is None:
        return switchboard.is_on_for_anyone(flag)
    user = get_user_model().objects.filter(pk=user_id, is_active=True).first()
    return user is not None and switchboard.is_on(flag, user)
