from django.urls import path

from scheduling.views import calendar

app_name = "calendar"

urlpatterns = [
    path("", calendar.show, name="month"),
    path("<int:year>/<int:month>/", calendar.show, name="other_month"),
]
