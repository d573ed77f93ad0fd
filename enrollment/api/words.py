"""What stands above the schema. Read by the settings, so it imports nothing of Django's models."""

from django.utils.translation import gettext_lazy as _

ABOUT = _(
    "Free times of teachers, and lessons to book, move and cancel.\n\n"
    "**Log in** by a token that you make on your page of API tokens (`Authorization: Token …`), or "
    "by session; what changes something then needs the header `X-CSRFToken`.\n\n"
    "**Errors** are problem details (RFC 9457). 400: what you sent is not as described here. 422: it "
    "is, and still cannot be so. Either way `errors` says what, and where. Some have a `code`:\n\n"
    "- `slot-taken`: the time is not free; `alternatives` are the nearest that are\n"
    "- `too-late`: it could be moved or cancelled until `deadline`\n"
    "- `not-planned`: the lesson was given, or cancelled\n"
    "- `not-this-teacher`: this teacher cannot give this lesson\n"
    "- `enrollment-not-live`: the enrollment is over\n"
    "- `course-closed`, `course-full`, `teacher-not-of-course`, `too-many-enrollments`: nobody can "
    "be enrolled now, or you cannot\n"
    "- `key-used-otherwise`, `still-busy`, `bad-idempotency-key`: about the Idempotency-Key\n\n"
    "**Send an `Idempotency-Key`** with what you want done once: sent again after a lost connection, "
    "it is not done again."
)
