"""The school's application, whose features come back sooner than they do: nobody evaluates in these tests."""

from tests.rollback.simulated_wsgi import application  # isort: skip - models are there from here on

from rollback import trips
from rollback.public.status import kept

trips.STEADY = 2.0
# So that nobody has to wait until the status page is old, or until it is made again.
kept.FRESH, kept.PAUSE = 1.0, 2.0

__all__ = ["application"]
