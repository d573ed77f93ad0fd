from enrollment.models.courses import Course
from enrollment.models.enrollments import Enrollment
from enrollment.models.lessons import Lesson
from enrollment.models.people import Student, Teacher, User
from enrollment.models.tokens import ApiToken

__all__ = ["ApiToken", "Course", "Enrollment", "Lesson", "Student", "Teacher", "User"]
