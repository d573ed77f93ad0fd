from django.urls import path

from scheduling.views import booking, flow, hours, lessons

app_name = "scheduling"

urlpatterns = [
    # More than one part, so that no course's slug can ever be in the way.
    path("my/hours/", hours.my_hours, name="hours"),
    path("my/hours/<int:rule>/delete/", hours.delete_hours, name="delete_hours"),
    path("enrollments/<int:enrollment>/book/", booking.book, name="book"),
    path("enrollments/<int:enrollment>/series/", booking.series, name="series"),
    path("lessons/<int:lesson>/move/", lessons.move, name="move_lesson"),
    path("lessons/<int:lesson>/cancel/", lessons.cancel, name="cancel_lesson"),
    path("<slug:course>/", flow.choose, name="choose"),
    path("<slug:course>/continue/", flow.resume, name="resume"),
    path("<slug:course>/details/", flow.details, name="details"),
    path("<slug:course>/confirm/", flow.confirm, name="confirm"),
]
