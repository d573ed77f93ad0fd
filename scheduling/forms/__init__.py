from scheduling.forms.flow import ChoiceForm, DetailsForm, FilterForm, SlotField
from scheduling.forms.hours import ExceptionForm, HoursForm
from scheduling.forms.time_off import TimeOffForm
from scheduling.forms.week import WeekForm

__all__ = [
    "ChoiceForm",
    "DetailsForm",
    "ExceptionForm",
    "FilterForm",
    "HoursForm",
    "SlotField",
    "TimeOffForm",
    "WeekForm",
]
