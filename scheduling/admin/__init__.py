"""The office's pages for hours, what differs from them, and what may be booked."""

from scheduling.admin.feeds import CalendarFeedAdmin
from scheduling.admin.hours import AvailabilityExceptionAdmin, AvailabilityRuleAdmin
from scheduling.admin.policies import BookingPolicyAdmin
from scheduling.admin.time_off import TimeOffAdmin
from scheduling.admin.waitlist import WaitlistEntryAdmin

__all__ = [
    "AvailabilityExceptionAdmin",
    "AvailabilityRuleAdmin",
    "BookingPolicyAdmin",
    "CalendarFeedAdmin",
    "TimeOffAdmin",
    "WaitlistEntryAdmin",
]
