from django.urls import path

from scheduling import api

app_name = "availability-api"

urlpatterns = [path("teachers/<int:teacher>/slots/", api.TeacherSlots.as_view(), name="slots")]
