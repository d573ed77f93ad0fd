"""The school's application, whose features come back sooner than they do: nobody evaluates in these tests."""

from rollback import trips
from tests.rollback.simulated_wsgi import application

trips.STEADY = 2.0

__all__ = ["application"]
