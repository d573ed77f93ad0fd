"""What the ground floor keeps of what people do in it: progress, messages, and their API tokens."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from enrollment.models import ApiToken, Conflict, MakeUpCredit, Message, MessageAccess, Reader, User
from enrollment.personal import Contributor
from enrollment.queries import personal_work as queries


def keep_progress(*, user: User, now: datetime) -> None:
    """It belongs to the enrollment, which stays in the books without a name."""


def erase_messages(*, user: User, now: datetime) -> None:
    """A student's whole conversations: both sides wrote about the student. A teacher's own words."""
    Message.objects.filter(sender=user).update(body="")
    Message.objects.filter(enrollment__student__user=user).update(body="")
    # Who opened a conversation and when stays; why may hold the name.
    MessageAccess.objects.filter(enrollment__student__user=user).update(reason="")
    Reader.objects.filter(user=user).delete()


def erase_tokens(*, user: User, now: datetime) -> None:
    ApiToken.objects.filter(user=user).delete()


def revoke_tokens(*, users: Collection[int], now: datetime) -> None:
    ApiToken.objects.filter(user__in=users, revoked_at=None).update(revoked_at=now)


def erase_credit_notes(*, user: User, now: datetime) -> None:
    """That a lesson is owed belongs to the books."""
    MakeUpCredit.objects.filter(enrollment__student__user=user).update(note="")


def erase_conflicts(*, user: User, now: datetime) -> None:
    """The rows stay, of nobody by name: their words are empty, and so are their facts."""
    about = queries.conflicts_about(user).values_list("pk", flat=True)
    Conflict.objects.filter(Q(pk__in=list(about))).update(resolution="", facts={})


PROGRESS = Contributor(
    name="progress",
    kept=_("Which units of your courses are done"),
    when_erased=_("It stays with the enrollment, without your name."),
    covers=frozenset({"enrollment.CourseUnit", "enrollment.UnitDone"}),
    export=queries.progress,
    erase=keep_progress,
)
MESSAGES = Contributor(
    name="messages",
    kept=_("The messages between you and your teachers or students"),
    when_erased=_(
        "The texts are deleted: a student's conversations whole, of a teacher what they wrote. That "
        "there were messages, and when, stays."
    ),
    covers=frozenset(
        {
            "enrollment.Message",
            "enrollment.MessageAccess",
            "enrollment.Reader",
            "enrollment.Thread",
        }
    ),
    export=queries.messages,
    erase=erase_messages,
    # The office reads a conversation with a reason that both sides see, or not at all.
    own_only=True,
)
TOKENS = Contributor(
    name="api_tokens",
    kept=_("The API tokens that you made: their names and dates"),
    when_erased=_("Deleted: programs that use them are locked out."),
    covers=frozenset({"enrollment.ApiToken"}),
    export=queries.tokens,
    erase=erase_tokens,
    revoke=revoke_tokens,
)
CREDITS = Contributor(
    name="make_up_credits",
    kept=_("Lessons of yours that the school has cancelled and owes you"),
    when_erased=_("They stay with the enrollment, without your name."),
    covers=frozenset({"enrollment.MakeUpCredit"}),
    export=queries.make_up_credits,
    erase=erase_credit_notes,
)
CONFLICTS = Contributor(
    name="conflicts",
    kept=_("Lessons that could not be as planned, and what the office did about them"),
    when_erased=_("What the office wrote there is deleted."),
    covers=frozenset({"enrollment.Conflict", "enrollment.Conflict_lessons"}),
    export=queries.conflicts,
    erase=erase_conflicts,
    # Written for colleagues; a conflict of two students names both.
    office_only=True,
)
CONTRIBUTORS = (PROGRESS, MESSAGES, TOKENS, CREDITS, CONFLICTS)
