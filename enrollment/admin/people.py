"""Users, groups, teachers, students."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from enrollment.admin.sheets import SheetAdmin
from enrollment.models import Student, Teacher, User
from enrollment.operations.people import save_student, save_teacher

# Who may set these could make themselves anything.
ONLY_SUPERUSERS_SET = ("is_superuser", "user_permissions")

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass


class NewUserForm(UserCreationForm, AdminUserCreationForm):  # type: ignore[type-arg]
    """By mail address; without a password the person sets one by the reset mail."""

    class Meta:
        model = User
        fields = ("email", "first_name", "last_name")

    def clean_email(self) -> str:
        address: str = self.cleaned_data["email"].lower()
        return address


class KnownUserForm(UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"

    def clean_email(self) -> str:
        address: str = self.cleaned_data["email"].lower()
        return address


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    form = KnownUserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "first_name", "last_name", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    filter_horizontal = ()
    autocomplete_fields = ("groups",)
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Name"), {"fields": ("first_name", "last_name")}),
        (
            _("May do"),
            {"fields": ("is_active", "is_staff", "groups", "is_superuser", "user_permissions")},
        ),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
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
                    "usable_password",
                    "password1",
                    "password2",
                ),
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        is_superuser = getattr(request.user, "is_superuser", False)
        return fields if is_superuser else (*fields, *ONLY_SUPERUSERS_SET)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody becomes a superuser by giving one a new password."""
        may = super().has_change_permission(request, obj)
        return may and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        may = super().has_delete_permission(request, obj)
        return may and _may_touch(request, obj)


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    return user is None or not user.is_superuser or getattr(request.user, "is_superuser", False)


@admin.register(Teacher)
class TeacherAdmin(SheetAdmin, ModelAdmin):
    list_display = ("display_name", "user_email", "zone")
    list_filter = ("zone",)
    list_select_related = ("user",)
    search_fields = ("display_name", "user__email", "user__first_name", "user__last_name")
    autocomplete_fields = ("user",)
    fields = ("user", "display_name", "zone", "bio")

    @admin.display(description=_("e-mail address"), ordering="user__email")
    def user_email(self, teacher: Teacher) -> str:
        return teacher.user.email

    def save_model(self, request: HttpRequest, obj: Teacher, form: Any, change: bool) -> None:
        save_teacher(teacher=obj)


@admin.register(Student)
class StudentAdmin(SheetAdmin, ModelAdmin):
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
