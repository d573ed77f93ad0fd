from django.urls import path

from scheduling.views import booking, dates, flow, hours, lessons, time_off, waitlist, week

app_name = "scheduling"

urlpatterns = [
    # More than one part, so that no course's slug can ever be in the way.
    path("my/week/", week.my_week, name="week"),
    path("my/lessons/", week.my_lessons, name="lessons"),
    path("my/hours/", hours.my_hours, name="hours"),
    path("my/hours/<int:rule>/", hours.change_hours, name="change_hours"),
    path("my/hours/<int:rule>/delete/", hours.delete_hours, name="delete_hours"),
    path("my/dates/", dates.my_dates, name="dates"),
    path("my/dates/<int:exception>/", dates.change_date, name="change_date"),
    path("my/dates/<int:exception>/delete/", dates.delete_date, name="delete_date"),
    path("my/time-off/", time_off.my_time_off, name="time_off"),
    path("my/time-off/<int:time_off>/", time_off.change_time_off, name="change_time_off"),
    path("my/time-off/<int:time_off>/delete/", time_off.delete_time_off, name="delete_time_off"),
    path("enrollments/<int:enrollment>/book/", booking.book, name="book"),
    path("enrollments/<int:enrollment>/series/", booking.series, name="series"),
    path("lessons/<int:lesson>/move/", lessons.move, name="move_lesson"),
    path("lessons/<int:lesson>/cancel/", lessons.cancel, name="cancel_lesson"),
    path("my/waitlist/", waitlist.my_waitlist, name="waitlist"),
    path("my/waitlist/<int:entry>/take/", waitlist.take, name="take_offer"),
    path("my/waitlist/<int:entry>/leave/", waitlist.leave, name="leave_waitlist"),
    path("<slug:course>/continue/", flow.resume, name="resume"),
    path("<slug:course>/details/", flow.details, name="details"),
    path("<slug:course>/confirm/", flow.confirm, name="confirm"),
    path("<slug:course>/wait/", waitlist.wait, name="wait"),
]
