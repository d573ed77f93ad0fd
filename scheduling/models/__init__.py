from scheduling.models.exceptions import AvailabilityException, TimeOff
from scheduling.models.feeds import CalendarFeed
from scheduling.models.idempotency import IdempotencyKey
from scheduling.models.policies import BookingPolicy
from scheduling.models.reminders import TeacherReminder
from scheduling.models.rules import AvailabilityRule
from scheduling.models.waitlist import WaitlistEntry

__all__ = [
    "AvailabilityException",
    "AvailabilityRule",
    "BookingPolicy",
    "CalendarFeed",
    "IdempotencyKey",
    "TeacherReminder",
    "TimeOff",
    "WaitlistEntry",
]
