"""Conversations in the office: who with whom and how many. What they say is shown once, to somebody
who gave a reason, and the reason stays."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, F, Max, Min, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from enrollment.admin.reading import ReadOnlyAdmin
from enrollment.models import MessageAccess, Thread, User
from enrollment.operations.messages import open_for_office
from enrollment.queries.teaching import teacher_names


class OpeningForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        help_text=_(
            "Why must this be read? Kept with your name for good. Student and teacher see that the "
            "office has read the conversation, and when, but not the reason."
        ),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


@admin.register(Thread)
class ThreadAdmin(ReadOnlyAdmin):
    list_display = ("student", "course", "teacher", "by_student", "by_teachers", "first", "last")
    list_display_links = ("student", "course")
    list_filter = ("status", ("course", admin.RelatedOnlyFieldListFilter))
    list_per_page = 50
    ordering = ("-pk",)
    # Never the messages' bodies: a search that finds a word has read it.
    search_fields = (
        "student__user__last_name",
        "student__user__first_name",
        "student__user__email",
        "teacher__display_name",
        "course__title",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Thread]:
        threads: QuerySet[Thread] = super().get_queryset(request)
        return (
            threads.select_related("student__user", "course", "teacher")
            .annotate(
                all_messages=Count("messages"),
                own_messages=Count("messages", filter=Q(messages__sender=F("student__user"))),
                first_at=Min("messages__sent_at"),
                last_at=Max("messages__sent_at"),
            )
            .filter(all_messages__gt=0)
        )

    @admin.display(description=_("by the student"), ordering="own_messages")
    def by_student(self, thread: Thread) -> int:
        return int(getattr(thread, "own_messages", 0))

    @admin.display(description=_("by teachers"))
    def by_teachers(self, thread: Thread) -> int:
        return int(getattr(thread, "all_messages", 0)) - self.by_student(thread)

    @admin.display(description=_("first message"), ordering="first_at")
    def first(self, thread: Thread) -> Any:
        return getattr(thread, "first_at", None)

    @admin.display(description=_("last message"), ordering="last_at")
    def last(self, thread: Thread) -> Any:
        return getattr(thread, "last_at", None)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Asks for the reason; a POST with one shows the messages, this once."""
        thread: Thread | None = self.get_object(request, object_id)
        if not self.has_view_permission(request, thread) or not _may_open(request):
            raise PermissionDenied
        if thread is None:
            raise Http404
        form = OpeningForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            return self._open(request, thread, form.cleaned_data["reason"])
        return self._page(request, thread, "ask", form=form)

    def _open(self, request: HttpRequest, thread: Thread, reason: str) -> HttpResponse:
        user = cast(User, request.user)
        found = open_for_office(enrollment=thread, user=user, reason=reason, now=timezone.now())
        return self._page(request, thread, "opened", found=found, reason=reason)

    def _page(
        self, request: HttpRequest, thread: Thread, name: str, **more: Any
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Conversation of %(student)s, %(course)s")
            % {"student": thread.student, "course": thread.course},
            "thread": thread,
            "teachers": teacher_names([thread])[thread.pk],
            "back": reverse("admin:enrollment_thread_changelist"),
            **more,
        }
        return TemplateResponse(request, f"admin/enrollment/thread_{name}.html", context)


def _may_open(request: HttpRequest) -> bool:
    return request.user.has_perm("enrollment.add_messageaccess")


@admin.register(MessageAccess)
class MessageAccessAdmin(ReadOnlyAdmin):
    list_display = ("opened_at", "user", "enrollment", "reason")
    list_select_related = ("user", "enrollment__student__user", "enrollment__course")
    search_fields = ("reason", "user__email", "enrollment__student__user__last_name")
    date_hierarchy = "opened_at"
    list_per_page = 50
