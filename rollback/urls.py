from django.urls import path

from rollback import pages, views

app_name = "drafts"

# A course may have any name for its address: what is no course's has two parts or more.
urlpatterns = [
    path("", pages.unfinished, name="unfinished"),
    path("reminders/wanted/", pages.set_reminders, name="reminders"),
    path("reminders/off/<str:token>/", pages.no_reminders, name="no_reminders"),
    path("<slug:course>/", views.save_draft, name="save"),
    path("<slug:course>/continue/", pages.go_on, name="continue"),
    path("<slug:course>/delete/", pages.delete, name="delete"),
]
