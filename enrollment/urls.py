from django.urls import path

from enrollment.views import courses, mine, my_data

app_name = "enrollment"

urlpatterns = [
    path("", courses.catalog, name="catalog"),
    path("home/", courses.home, name="home"),
    path("courses/<slug:course>/", courses.course_detail, name="course"),
    path("courses/<slug:course>/enroll/", courses.enroll_in_course, name="enroll"),
    path("enrollments/<int:enrollment>/", courses.enrolled, name="enrolled"),
    path("my/courses/", mine.my_courses, name="my_courses"),
    path("my/lessons/", mine.my_lessons, name="my_lessons"),
    path("my/data/", my_data.my_data, name="my_data"),
    path("my/data/copy/", my_data.my_copy, name="my_copy"),
    path("my/data/delete/", my_data.delete_me, name="delete_me"),
]
