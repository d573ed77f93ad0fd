from django.urls import path

from enrollment.views import calendar_files, courses, messages, mine, my_data, teaching, tokens

app_name = "enrollment"

urlpatterns = [
    path("", courses.catalog, name="catalog"),
    path("home/", courses.home, name="home"),
    path("courses/<slug:course>/", courses.course_detail, name="course"),
    path("courses/<slug:course>/enroll/", courses.enroll_in_course, name="enroll"),
    path("enrollments/<int:enrollment>/", courses.enrolled, name="enrolled"),
    path("lessons/<int:lesson>.ics", calendar_files.lesson_file, name="lesson_file"),
    path("my/courses/", mine.my_courses, name="my_courses"),
    path("my/lessons/", mine.my_lessons, name="my_lessons"),
    path("my/tokens/", tokens.my_tokens, name="tokens"),
    path("my/tokens/<slug:key>/revoke/", tokens.revoke, name="revoke_token"),
    path("my/students/", teaching.my_students, name="my_students"),
    path("my/students/<int:enrollment>/", teaching.progress, name="progress"),
    path("my/students/<int:enrollment>/units/<int:unit>/", teaching.tick_unit, name="tick"),
    path("messages/", messages.inbox, name="inbox"),
    path("messages/<int:enrollment>/", messages.thread, name="thread"),
    path("my/data/", my_data.my_data, name="my_data"),
    path("my/data/copy/", my_data.my_copy, name="my_copy"),
    path("my/data/delete/", my_data.delete_me, name="delete_me"),
]
