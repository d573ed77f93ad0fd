from django.urls import path

from holidays import views

app_name = "holidays"

urlpatterns = [path("", views.holiday_list, name="list")]
