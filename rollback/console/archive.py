"""The archive in the admin: what lies there, since when, how many rows, and when it may be purged."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Count, Min, Model, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display

from enrollment.admin.reading import ReadOnlyAdmin
from rollback import keeping
from rollback.console import facts
from rollback.keeping.purging import KEPT_FOR
from rollback.models import Incident, LedgerEntry, Orphan
from rollback.schema.standing import moment


class WhereFilter(admin.SimpleListFilter):
    title = gettext_lazy("where it is")
    parameter_name = "where"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key, words) for key, words in _places().items() if key != "kept"]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LedgerEntry]
    ) -> QuerySet[LedgerEntry]:
        chosen = {
            "away": Q(back_at__isnull=True, purged_at__isnull=True),
            "purged": Q(purged_at__isnull=False),
            "back": Q(back_at__isnull=False, purged_at__isnull=True),
        }
        return queryset.filter(chosen.get(self.value() or "", Q()))


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ("what", "state", "archived_at", "how_many", "may_be_purged", "set_aside")
    list_display_links = ("what",)
    list_filter = (WhereFilter, "app", "kind")
    search_fields = ("table", "column")
    list_before_template = "admin/rollback/sentences.html"
    fields = (
        "what", "in_words", "kind", "app", "archived_as", "archived_at", "how_many", "sealed_at", "digest",
        "may_be_purged", "purged_at", "purged_by_name", "purged_because", "back_at", "set_aside",
        "told", "keys", "columns",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        found: QuerySet[LedgerEntry] = super().get_queryset(request)
        return found.annotate(lost=Count("orphans"))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "sentences": list(_in_the_archive())}
        page: HttpResponse = super().changelist_view(request, context)
        return page

    @admin.display(description=gettext_lazy("table or column"), ordering="table")
    def what(self, entry: LedgerEntry) -> str:
        return str(entry)

    @display(
        description=gettext_lazy("where it is"),
        label={"away": "info", "back": "success", "kept": "warning", "purged": "danger"},
    )
    def state(self, entry: LedgerEntry) -> tuple[str, str]:
        return _place(entry), self.in_words(entry)

    @admin.display(description=gettext_lazy("where it is"))
    def in_words(self, entry: LedgerEntry) -> str:
        return _places()[_place(entry)]

    @admin.display(description=gettext_lazy("rows"), ordering="rows")
    def how_many(self, entry: LedgerEntry) -> str:
        return _("not counted yet") if entry.rows is None else facts.number(entry.rows)

    @admin.display(description=gettext_lazy("may be purged"))
    def may_be_purged(self, entry: LedgerEntry) -> str:
        if _place(entry) != "away":
            return "–"
        on = date_format(localtime(entry.archived_at + KEPT_FOR), "DATE_FORMAT")
        return _("from %(on)s, not while an incident is open") % {"on": on}

    @admin.display(description=gettext_lazy("orphaned rows"))
    def set_aside(self, entry: Any) -> str:
        if not entry.lost:
            return "–"
        page = reverse("admin:rollback_orphan_changelist")
        link = '<a class="underline" href="{}?entry__id__exact={}">{}</a>'
        return format_html(link, page, entry.pk, facts.number(entry.lost))

    @admin.display(description=gettext_lazy("what was noted"))
    def told(self, entry: LedgerEntry) -> str:
        return facts.table(entry.report)

    @admin.display(description=gettext_lazy("foreign keys that were taken off"))
    def keys(self, entry: LedgerEntry) -> str:
        return facts.table(entry.foreign_keys)

    @admin.display(description=gettext_lazy("shape"))
    def columns(self, entry: LedgerEntry) -> str:
        return facts.table(entry.shape)


@admin.register(Orphan)
class OrphanAdmin(ReadOnlyAdmin):
    """A row is for whoever may see others of its kind, and no more of it than they would see there."""

    list_display = ("found_at", "entry", "foreign_key", "key")
    list_filter = ("foreign_key",)
    list_select_related = ("entry",)

    def get_fields(self, request: HttpRequest, obj: Orphan | None = None) -> tuple[str, ...]:
        shown = "content" if obj is not None and _may_read(request, obj) else "withheld"
        return ("entry", "foreign_key", "found_at", "key", shown)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Reached from the table that it came back with."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """As the ledger's page asks for it."""
        allowed: bool = super().lookup_allowed(lookup, value, request)
        return allowed or lookup == "entry__id__exact"

    @admin.display(description=gettext_lazy("row"))
    def key(self, orphan: Orphan) -> str:
        model = _model_of(orphan)
        column = model._meta.pk.column if model is not None else "id"
        return str(orphan.row.get(column, "–"))

    @admin.display(description=gettext_lazy("content"))
    def content(self, orphan: Orphan) -> str:
        unsaid = keeping.unsaid()
        return facts.table({name: one for name, one in orphan.row.items() if name not in unsaid})

    @admin.display(description=gettext_lazy("content"))
    def withheld(self, orphan: Orphan) -> str:
        return _("Only who may see the other rows of this table can see what stands in it.")


def _model_of(orphan: Orphan) -> type[Model] | None:
    """None: of a table that the code does not know any more."""
    models = apps.get_models(include_auto_created=True)
    return next((one for one in models if one._meta.db_table == orphan.entry.table), None)


def _may_read(request: HttpRequest, orphan: Orphan) -> bool:
    model = _model_of(orphan)
    if model is None:
        return request.user.is_superuser
    # What joins two tables has no permissions of its own.
    owner: Any = model._meta.auto_created or model
    meta = owner._meta
    names = (f"{meta.app_label}.{one}_{meta.model_name}" for one in ("view", "change"))
    return any(map(request.user.has_perm, names))


def _place(entry: LedgerEntry) -> str:
    if entry.purged_at is not None:
        return "purged"
    if entry.back_at is None:
        return "away"
    # What did not fit any more, or was left over, stays there under a name of its own.
    return "kept" if entry.archived_as.startswith("archive_kept_") else "back"


def _places() -> dict[str, str]:
    return {
        "away": _("In the archive"),
        "back": _("Brought back"),
        "kept": _("Brought back, the old form kept"),
        "purged": _("Purged"),
    }


def _in_the_archive() -> Iterator[tuple[str, bool]]:
    """(sentence, whether it is an alarm)"""
    lies_there = LedgerEntry.objects.filter(back_at__isnull=True, purged_at__isnull=True)
    found = lies_there.aggregate(count=Count("pk"), total=Sum("rows"), since=Min("archived_at"))
    if not found["count"]:
        yield _("Nothing is in the archive: every table is where the school works with it."), False
        return
    words = ngettext(
        "%(count)s table or column lies in the archive, with %(rows)s rows, since %(since)s.",
        "%(count)s tables and columns lie in the archive, with %(rows)s rows, since %(since)s.",
        found["count"],
    )
    told = {"count": found["count"], "rows": facts.number(found["total"] or 0)}
    yield words % (told | {"since": moment(found["since"])}), False
    yield _purging(found["since"] + KEPT_FOR), False


def _purging(due: datetime) -> str:
    incident = Incident.objects.filter(resolved_at=None).order_by("pk").first()
    if incident is not None:
        words = _("Nothing of it may be purged while incident %(number)s is open.")
        return words % {"number": incident.pk}
    if due <= timezone.now():
        return _(
            "The oldest of it may be purged, if it is not wanted back: manage.py rollback archive purge."
        )
    words = _("Nothing of it may be purged before %(on)s.")
    return words % {"on": date_format(localtime(due), "DATE_FORMAT")}
