from scheduling.models.reminders import TeacherReminder
from scheduling.models.rules import AvailabilityRule

__all__ = ["AvailabilityRule", "TeacherReminder"]
