from django.urls import path

from scheduling.views import calendar, choose

app_name = "calendar"

urlpatterns = [
    # The flow's first step: without the calendar the original form takes its place.
    path("choose/<slug:course>/", choose.choose, name="choose"),
    path("", calendar.show, name="month"),
    path("<int:year>/<int:month>/", calendar.show, name="other_month"),
]
