from django.urls import path

from scheduling.api import bookings, reading, rules

app_name = "availability-api"

urlpatterns = [
    path("teachers/", reading.Teachers.as_view(), name="teachers"),
    path("teachers/<int:teacher>/slots/", reading.TeacherSlots.as_view(), name="slots"),
    path("slots/", reading.Slots.as_view(), name="all_slots"),
    path("reasons/", reading.Reasons.as_view(), name="reasons"),
    path("lessons/", reading.Lessons.as_view(), name="lessons"),
    path("bookings/", bookings.Bookings.as_view(), name="bookings"),
    path("bookings/<int:booking>/", bookings.Booking.as_view(), name="booking"),
    path("bookings/<int:booking>/move/", bookings.MoveBooking.as_view(), name="move_booking"),
    path("bookings/<int:booking>/cancel/", bookings.CancelBooking.as_view(), name="cancel_booking"),
    path("rules/", rules.Rules.as_view(), name="rules"),
    path("rules/<int:rule>/", rules.Rule.as_view(), name="rule"),
]
