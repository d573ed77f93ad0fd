"""The Celery task class: a task of a feature that is off is skipped and counted."""

from typing import Any

from celery import Task
from celery.exceptions import Ignore
from django.contrib.auth import get_user_model
from django.utils import timezone

from rollback import registry, switchboard
from rollback.doors import counting


class FeatureTask(Task):  # type: ignore[type-arg]
    """A task about one user names them by the keyword `for_user_id`; they get their own answer."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
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
