from scheduling.forms.flow import (
    BookForm,
    CancelForm,
    ChoiceForm,
    DetailsForm,
    FilterForm,
    MoveForm,
    PickerForm,
    SeriesForm,
    SlotField,
    WaitForm,
)
from scheduling.forms.hours import ExceptionForm, HoursForm
from scheduling.forms.time_off import TimeOffForm
from scheduling.forms.week import WeekForm

__all__ = [
    "BookForm",
    "CancelForm",
    "ChoiceForm",
    "DetailsForm",
    "ExceptionForm",
    "FilterForm",
    "HoursForm",
    "MoveForm",
    "PickerForm",
    "SeriesForm",
    "SlotField",
    "TimeOffForm",
    "WaitForm",
    "WeekForm",
]
