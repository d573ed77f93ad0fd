"""The office's pages of import and export, as an office uses them."""

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from tests.enrollment import school_files

# In the order of what refers to what.
FILES = {
    "teacher": school_files.TEACHERS,
    "student": school_files.STUDENTS,
    "course": school_files.COURSES,
    "courseunit": school_files.UNITS,
    "enrollment": school_files.ENROLLMENTS,
    "lesson": school_files.LESSONS,
    "unitdone": school_files.PROGRESS,
}
MODELS = tuple(FILES)
TEACHERS = school_files.TEACHERS
GONE = "This file is no longer here"


def page(model: str, kind: str) -> str:
    return reverse(f"admin:enrollment_{model}_{kind}")


def choose(client: Client, model: str, text: str | bytes, name: str = "") -> Any:
    """The answer to a chosen file: a preview, or what is wrong with it."""
    data = text if isinstance(text, bytes) else text.encode()
    file = SimpleUploadedFile(name or f"{model}s.csv", data)
    return client.post(page(model, "import"), {"import_file": file, "resource": "0"})


def confirm(client: Client, model: str, looked_at: Any) -> Any:
    token = looked_at.context["confirm_form"]["import_file_name"].value()
    return client.post(page(model, "process_import"), {"import_file_name": token}, follow=True)


def words(response: Any) -> str:
    return str(response.content.decode())


def hints(response: Any) -> list[str]:
    return [str(problem) for problem in response.context["result"].problems]
