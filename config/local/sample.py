"""Who can log in to the sample school; `setup --sample` refuses in production."""

from typing import NamedTuple

PASSWORD = "school-demo"  # noqa: S105


class Login(NamedTuple):
    email: str
    role: str
    may: str


LOGINS = (
    Login("student@school.example", "Student", "enroll, follow lessons"),
    Login("teacher@school.example", "Teacher", "enter weekly hours, see lessons"),
    Login("staff@school.example", "Staff", "run the office, turn features on and off"),
    Login("admin@school.example", "Admin", "everything"),
)
FLAGS = (
    "ENABLE_TEACHER_SCHEDULING",
    "ENABLE_HOLIDAY_MANAGEMENT",
    "ENABLE_CALENDAR_DISPLAY",
    "ENABLE_AVAILABILITY_API",
)
