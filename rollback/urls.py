from django.urls import path

from rollback import views

app_name = "drafts"

urlpatterns = [path("<slug:course>/", views.save_draft, name="save")]
