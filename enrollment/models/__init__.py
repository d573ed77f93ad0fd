from enrollment.models.changes import LessonChange
from enrollment.models.conflicts import Conflict, MakeUpCredit
from enrollment.models.courses import Course
from enrollment.models.enrollments import Enrollment
from enrollment.models.lessons import Lesson
from enrollment.models.messages import Message, MessageAccess, Reader, Thread
from enrollment.models.people import Student, Teacher, User
from enrollment.models.progress import CourseUnit, UnitDone
from enrollment.models.tokens import ApiToken

__all__ = [
    "ApiToken",
    "Conflict",
    "Course",
    "CourseUnit",
    "Enrollment",
    "Lesson",
    "LessonChange",
    "MakeUpCredit",
    "Message",
    "MessageAccess",
    "Reader",
    "Student",
    "Teacher",
    "Thread",
    "UnitDone",
    "User",
]
