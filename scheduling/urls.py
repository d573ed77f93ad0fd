from django.urls import path

from scheduling.views import flow, hours, waitlist

app_name = "scheduling"

urlpatterns = [
    # Two parts, so that no course's slug can ever be in the way.
    path("my/hours/", hours.my_hours, name="hours"),
    path("my/hours/<int:rule>/delete/", hours.delete_hours, name="delete_hours"),
    path("my/waitlist/", waitlist.my_waitlist, name="waitlist"),
    path("my/waitlist/<int:entry>/take/", waitlist.take, name="take_offer"),
    path("my/waitlist/<int:entry>/leave/", waitlist.leave, name="leave_waitlist"),
    path("<slug:course>/", flow.choose, name="choose"),
    path("<slug:course>/continue/", flow.resume, name="resume"),
    path("<slug:course>/details/", flow.details, name="details"),
    path("<slug:course>/confirm/", flow.confirm, name="confirm"),
    path("<slug:course>/wait/", waitlist.wait, name="wait"),
]
