"""Users, groups, teachers, students."""

from typing import Any, cast

import structlog
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import get_language_info, gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from enrollment import personal
from enrollment.admin.impact import ImpactAdmin
from enrollment.admin.sheets import SheetAdmin
from enrollment.models import Student, Teacher, User
from enrollment.operations.erase import EraseRefused, check_can_erase, erase_person
from enrollment.operations.people import save_student, save_teacher
from enrollment.refusals import BUSY, why_not_erased
from enrollment.views.my_data import copy_as_file

log = structlog.get_logger(__name__)

# Who may set these could make themselves anything.
ONLY_SUPERUSERS_SET = ("is_superuser", "user_permissions")

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass


def language_choices() -> list[tuple[str, Any]]:
    """Those the school has, each by its own name."""
    school = get_language_info(settings.LANGUAGE_CODE)["name_local"]
    none = gettext("not chosen yet; mails are written in %(language)s") % {"language": school}
    codes = [code for code, _name in settings.LANGUAGES]
    return [("", none), *((code, get_language_info(code)["name_local"]) for code in codes)]


class LanguageField(forms.ChoiceField):
    def __init__(self) -> None:
        super().__init__(
            label=_("Language"),
            choices=language_choices,
            required=False,
            help_text=_("In which mails are written to this person."),
            widget=UnfoldAdminSelectWidget,
        )


class NewUserForm(UserCreationForm, AdminUserCreationForm):  # type: ignore[type-arg]
    """By mail address; without a password the person sets one by the reset mail."""

    language = LanguageField()

    class Meta:
        model = User
        fields = ("email", "first_name", "last_name", "language")

    def clean_email(self) -> str:
        address: str = self.cleaned_data["email"].lower()
        return address


class KnownUserForm(UserChangeForm):
    language = LanguageField()

    class Meta:
        model = User
        fields = "__all__"

    def clean_email(self) -> str:
        address: str = self.cleaned_data["email"].lower()
        return address


class EraseForm(forms.Form):
    """The address is typed, so that nobody deletes the wrong person by a slip."""

    address = forms.CharField(
        label=_("The person’s e-mail address"),
        help_text=_("Type it, to be sure that it is this person."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        help_text=_("Kept in the history. Do not name the person in it."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"].strip()
        if address.lower() != self._user.email.lower():
            raise forms.ValidationError(_("This is not the address of this person."))
        return address


@admin.register(User)
class UserAdmin(ImpactAdmin, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    form = KnownUserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "first_name", "last_name", "is_staff", "is_active", "last_login")
    list_filter = (
        "is_staff",
        "is_superuser",
        "is_active",
        "groups",
        ("deleted_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    filter_horizontal = ()
    autocomplete_fields = ("groups",)
    readonly_fields = ("last_login", "date_joined", "deleted_at")
    actions_detail = ("copy_data", "erase")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Name"), {"fields": ("first_name", "last_name", "language")}),
        (
            _("May do"),
            {"fields": ("is_active", "is_staff", "groups", "is_superuser", "user_permissions")},
        ),
        (_("Dates"), {"fields": ("last_login", "date_joined", "deleted_at")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": (
                    "email",
                    "first_name",
                    "last_name",
                    "language",
                    "usable_password",
                    "password1",
                    "password2",
                ),
            },
        ),
    )

    def could_hit(self, obj: User) -> Q:
        """A teacher who cannot log in any more gives no lessons."""
        return Q(teacher__user=obj.pk)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        is_superuser = getattr(request.user, "is_superuser", False)
        return fields if is_superuser else (*fields, *ONLY_SUPERUSERS_SET)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody becomes a superuser by giving one a new password."""
        may = super().has_change_permission(request, obj)
        return may and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Never in Django's way: it would leave the books without a person, or refuse because of them."""
        return False

    def has_erase_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return super().has_delete_permission(request)

    def has_copy_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return super().has_change_permission(request)

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """No buttons that would be refused: for who is deleted, or a superuser of others."""
        user = self.get_object(request, str(object_id))
        shown: list[Any] = super().get_actions_detail(request, object_id)
        return shown if user is not None and _may_touch(request, user) else []

    @action(description=_("Copy of the data"), permissions=["copy"], url_path="copy")
    def copy_data(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Read through before it is handed out: it holds the office's own notes."""
        user = self._touchable(request, object_id)
        try:
            copy = copy_as_file(user, for_office=True)
        except personal.OutOfReach as why:
            self.message_user(request, str(why), messages.ERROR)
            return redirect("admin:enrollment_user_change", user.pk)
        log.info("person.copied", person=user.pk, by=request.user.pk)
        return copy

    @action(
        description=_("Delete for good"),
        permissions=["erase"],
        url_path="erase",
        variant=ActionVariant.DANGER,
    )
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self._touchable(request, object_id)
        form = EraseForm(request.POST or None, user=user)
        if request.method == "POST" and form.is_valid() and self._erase(request, user, form):
            self.message_user(request, _("Deleted. The books keep no name."), messages.SUCCESS)
            return redirect("admin:enrollment_user_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Delete %(person)s for good") % {"person": user},
            "form": form,
            "parts": personal.concerning(user),
            "refusal": self._refusal(request, user),
            "back": reverse("admin:enrollment_user_change", args=[user.pk]),
        }
        return TemplateResponse(request, "admin/enrollment/erase_user.html", context)

    def _touchable(self, request: HttpRequest, object_id: str) -> User:
        user: User | None = self.get_object(request, object_id)
        if user is None:
            raise Http404
        if not _may_touch(request, user):
            raise PermissionDenied
        return user

    def _refusal(self, request: HttpRequest, user: User) -> str:
        try:
            check_can_erase(user=user, by=cast(User, request.user), now=timezone.now())
        except EraseRefused as refused:
            return why_not_erased(refused)
        return ""

    def _erase(self, request: HttpRequest, user: User, form: EraseForm) -> bool:
        """With the reason in the admin's log, in one transaction."""
        try:
            with transaction.atomic():
                erase_person(user=user, by=cast(User, request.user), now=timezone.now())
                user.refresh_from_db()
                self.log_change(request, user, form.cleaned_data["reason"])
        except EraseRefused as refused:
            form.add_error(None, why_not_erased(refused))
        except personal.EraseBlocked:
            form.add_error(None, BUSY)
        except personal.OutOfReach as why:
            form.add_error(None, str(why))
        return not form.errors


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    """Superusers are for superusers only; who is deleted stays as they are."""
    if user is None:
        return True
    if user.deleted_at is not None:
        return False
    return not user.is_superuser or getattr(request.user, "is_superuser", False)


class PersonAdmin(ModelAdmin):
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Whose rows these are is settled: another login would read this one's messages."""
        return () if obj is None else ("user",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_here = obj is None or obj.user.deleted_at is None
        return is_here and super().has_change_permission(request, obj)

    def get_search_results(self, request: HttpRequest, *asked: Any) -> Any:
        """Who is deleted stays in the lists, and is offered nowhere."""
        found, repeated = super().get_search_results(request, *asked)
        if "model_name" in request.GET:  # an autocomplete asks
            found = found.filter(user__deleted_at__isnull=True)
        return found, repeated


@admin.register(Teacher)
class TeacherAdmin(ImpactAdmin, SheetAdmin, PersonAdmin):
    list_display = ("display_name", "user_email", "zone")
    list_filter = ("zone",)
    list_select_related = ("user",)
    search_fields = ("display_name", "user__email", "user__first_name", "user__last_name")
    autocomplete_fields = ("user",)
    fields = ("user", "display_name", "zone", "bio")
    actions_detail = ("week",)

    @admin.display(description=_("e-mail address"), ordering="user__email")
    def user_email(self, teacher: Teacher) -> str:
        return teacher.user.email

    def could_hit(self, obj: Teacher) -> Q:
        return Q(teacher=obj.pk)

    def save_model(self, request: HttpRequest, obj: Teacher, form: Any, change: bool) -> None:
        save_teacher(teacher=obj)

    def has_timetable_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Named by its codename, unfold would look it up in the database at every system check."""
        return request.user.has_perm("enrollment.view_lesson")

    @action(
        description=_("Week"),
        url_path="week",
        permissions=["timetable"],
        icon="calendar_view_week",
    )
    def week(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        page = reverse("admin:enrollment_lesson_week")
        return HttpResponseRedirect(f"{page}?{urlencode({'teacher': object_id})}")


@admin.register(Student)
class StudentAdmin(SheetAdmin, PersonAdmin):
    list_display = ("name", "user_email", "zone")
    list_filter = ("zone",)
    list_select_related = ("user",)
    search_fields = ("user__last_name", "user__first_name", "user__email")
    autocomplete_fields = ("user",)
    fields = ("user", "zone")

    def get_queryset(self, request: HttpRequest) -> Any:
        # The name is the user's; without this every choice in an autocomplete costs a query.
        return super().get_queryset(request).select_related("user")

    @admin.display(description=_("student"), ordering="user__last_name")
    def name(self, student: Student) -> str:
        return str(student)

    @admin.display(description=_("e-mail address"), ordering="user__email")
    def user_email(self, student: Student) -> str:
        return student.user.email

    def save_model(self, request: HttpRequest, obj: Student, form: Any, change: bool) -> None:
        save_student(student=obj)
