"""The office's pages of the ground floor. Never gated: they work with every feature off."""

from enrollment.admin.courses import CourseAdmin
from enrollment.admin.enrollments import EnrollmentAdmin
from enrollment.admin.lessons import LessonAdmin
from enrollment.admin.messages import MessageAccessAdmin, ThreadAdmin
from enrollment.admin.people import StudentAdmin, TeacherAdmin, UserAdmin

__all__ = [
    "CourseAdmin",
    "EnrollmentAdmin",
    "LessonAdmin",
    "MessageAccessAdmin",
    "StudentAdmin",
    "TeacherAdmin",
    "ThreadAdmin",
    "UserAdmin",
]
