"""The Celery task class: a task of a feature that is off is skipped and counted.

Every line that is logged meanwhile says which task it is, and which request sent it.
"""

import time
from contextlib import nullcontext
from typing import Any

import structlog
from celery import Task
from celery.exceptions import Ignore, Reject, Retry
from django.contrib.auth import get_user_model
from django.utils import timezone

from rollback import acknowledging, registry, switchboard, watch
from rollback.domain.metrics import Metric
from rollback.doors import counting, logged, measuring

# A task says by them how it goes on; it has not failed.
GOES_ON = (Ignore, Reject, Retry)

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
        with acknowledging.busy(feature.flag) if feature else nullcontext():
            return self._if_let_in(feature, args, kwargs)

    def _if_let_in(self, feature: registry.Feature | None, args: Any, kwargs: Any) -> Any:
        if feature is not None and not allowed(feature.flag, kwargs.get("for_user_id")):
            counting.turned_away(feature=feature.flag, door="task", now=timezone.now())
            raise Ignore
        with measuring.noting_uses() as uses:
            try:
                answer = super().__call__(*args, **kwargs)
            except GOES_ON:
                raise
            except Exception:
                # The watch: counted, and raised again.
                _count(feature, uses, failed=True)
                raise
        _count(feature, uses, failed=False)
        return answer


def _count(feature: registry.Feature | None, uses: measuring.Uses, *, failed: bool) -> None:
    """A task is a request of its feature, and uses others as a page does."""
    flag = feature.flag if feature else ""
    measuring.count_uses(uses, apart_from=flag)
    if feature is not None:
        bad = failed or uses.get(flag, False)
        watch.count(Metric.REQUESTS, feature=flag, bad=bad)


def allowed(flag: str, user_id: int | None) -> bool:
    if user_id is None:
        return switchboard.is_on_for_anyone(flag)
    user = get_user_model().objects.filter(pk=user_id, is_active=True).first()
    return user is not None and switchboard.is_on(flag, user)
