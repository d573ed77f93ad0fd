"""The office's pages of the ground floor. Never gated: they work with every feature off."""

from enrollment.admin.conflicts import ConflictAdmin
from enrollment.admin.courses import CourseAdmin
from enrollment.admin.enrollments import EnrollmentAdmin
from enrollment.admin.lessons import LessonAdmin
from enrollment.admin.make_up import MakeUpCreditAdmin
from enrollment.admin.messages import MessageAccessAdmin, ThreadAdmin
from enrollment.admin.people import StudentAdmin, TeacherAdmin, UserAdmin
from enrollment.admin.progress import CourseUnitAdmin, UnitDoneAdmin
from enrollment.admin.tokens import ApiTokenAdmin

__all__ = [
    "ApiTokenAdmin",
    "ConflictAdmin",
    "CourseAdmin",
    "CourseUnitAdmin",
    "EnrollmentAdmin",
    "LessonAdmin",
    "MakeUpCreditAdmin",
    "MessageAccessAdmin",
    "StudentAdmin",
    "TeacherAdmin",
    "ThreadAdmin",
    "UnitDoneAdmin",
    "UserAdmin",
]
