"""What a change of the schema stands on, in the admin: backups, rehearsals, and the changes themselves."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from enrollment.admin.reading import ReadOnlyAdmin
from rollback.console import event_words, facts, report, shown
from rollback.console.words import ALARM
from rollback.models import Backup, Rehearsal, SchemaChange
from rollback.rehearsing import certificate_warning, migration_graph_hash
from rollback.rehearsing.picture import STYLE, source_of
from rollback.schema.standing import moment

OLDEST_BACKUP = timedelta(hours=26)
# Whatever stands in a row, the browser draws it and does nothing else: no script, nothing fetched.
ONLY_DRAWN = f"default-src 'none'; style-src {source_of(STYLE)}; sandbox"
Sentences = Iterator[tuple[str, bool]]


class WithSentences(ReadOnlyAdmin):
    """A list that begins with what it comes to, alarms in red."""

    list_before_template = "admin/rollback/sentences.html"

    def sentences(self) -> Sentences:
        raise NotImplementedError

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "sentences": list(self.sentences())}
        page: HttpResponse = super().changelist_view(request, context)
        return page


# ---------------------------------------------------------------- backups


@admin.register(Backup)
class BackupAdmin(WithSentences):
    list_display = ("name", "state", "as_of", "how_large", "how_many", "took")
    list_filter = ("status",)
    search_fields = ("name",)
    fields = (
        "name", "in_words", "as_of", "started_at", "finished_at", "how_large", "how_many", "parts", "why",
    )  # fmt: skip

    def sentences(self) -> Sentences:
        return newest_backup(now=timezone.now())

    @display(
        description=gettext_lazy("state"),
        ordering="status",
        label={"running": "info", "verified": "success", "failed": "danger", "pruned": "default"},
    )
    def state(self, backup: Backup) -> tuple[str, str]:
        return backup.status, self.in_words(backup)

    @admin.display(description=gettext_lazy("state"))
    def in_words(self, backup: Backup) -> str:
        return str(backup.get_status_display())

    @admin.display(description=gettext_lazy("size"), ordering="size")
    def how_large(self, backup: Backup) -> str:
        return facts.size(backup.size)

    @admin.display(description=gettext_lazy("rows"), ordering="rows")
    def how_many(self, backup: Backup) -> str:
        return "–" if backup.rows is None else facts.number(backup.rows)

    @admin.display(description=gettext_lazy("took"))
    def took(self, backup: Backup) -> str:
        return _took(backup)

    @admin.display(description=gettext_lazy("seconds of each part"))
    def parts(self, backup: Backup) -> str:
        return facts.table(backup.seconds)

    @admin.display(description=gettext_lazy("error"))
    def why(self, backup: Backup) -> str:
        return format_html(ALARM, backup.error) if backup.error else "–"


def newest_backup(*, now: datetime) -> Sentences:
    """Of when the newest is that was restored and compared; whether that is too long ago."""
    verified = Backup.objects.filter(status=Backup.Status.VERIFIED)
    newest = verified.order_by("-as_of", "-pk").exclude(as_of=None).first()
    if newest is None or newest.as_of is None:
        yield _("There is no verified backup: make one with manage.py backup."), True
        return
    told = {
        "name": newest.name,
        "at": moment(newest.as_of),
        "age": shown.minutes(now - newest.as_of),
    }
    yield (
        _("The newest verified backup is %(name)s: the school as it was at %(at)s, %(age)s ago.")
        % told,
        False,
    )
    if now - newest.as_of > OLDEST_BACKUP:
        words = _(
            "No verified backup is younger than %(hours)s hours: make one with manage.py backup, and "
            "see why the nightly one did not come about."
        )
        yield words % {"hours": int(OLDEST_BACKUP.total_seconds() // 3600)}, True


# ---------------------------------------------------------------- rehearsals


@admin.register(Rehearsal)
class RehearsalAdmin(WithSentences):
    list_display = ("started_at", "state", "took", "backup", "graph_state")
    list_display_links = ("started_at",)
    list_filter = ("passed",)
    fields = (
        "in_words", "graph_state", "started_at", "took", "backup", "graph", "by_phase", "drawn", "why",
        "page",
    )  # fmt: skip

    def get_urls(self) -> list[Any]:
        picture = path(
            "<path:object_id>/picture.svg",
            self.admin_site.admin_view(self.picture_view),
            name="rollback_rehearsal_picture",
        )
        return [picture, *super().get_urls()]

    def sentences(self) -> Sentences:
        return certificate(now=timezone.now())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rehearsal]:
        # Once for the whole list: it reads every migration there is.
        self._graph = migration_graph_hash()
        found: QuerySet[Rehearsal] = super().get_queryset(request)
        return found

    @display(
        description=gettext_lazy("state"),
        ordering="passed",
        label={"passed": "success", "failed": "danger", "running": "info"},
    )
    def state(self, rehearsal: Rehearsal) -> tuple[str, str]:
        return self._key(rehearsal), self.in_words(rehearsal)

    def _key(self, rehearsal: Rehearsal) -> str:
        if rehearsal.passed is None:
            return "running"
        return "passed" if rehearsal.passed else "failed"

    @admin.display(description=gettext_lazy("state"))
    def in_words(self, rehearsal: Rehearsal) -> str:
        words = {"running": _("Running"), "passed": _("Passed"), "failed": _("Failed")}
        return words[self._key(rehearsal)]

    @admin.display(description=gettext_lazy("migrations"))
    def graph_state(self, rehearsal: Rehearsal) -> str:
        if rehearsal.graph == self._graph:
            return _("those that the school has now")
        return _("others than the school has now")

    @admin.display(description=gettext_lazy("took"))
    def took(self, rehearsal: Rehearsal) -> str:
        return _took(rehearsal)

    @admin.display(description=gettext_lazy("by phase"))
    def by_phase(self, rehearsal: Rehearsal) -> str:
        return facts.table(
            {
                _("phase %s") % name if str(name).isdigit() else name: figures
                for name, figures in rehearsal.figures.items()
            }
        )

    @admin.display(description=gettext_lazy("timeline"))
    def drawn(self, rehearsal: Rehearsal) -> str:
        if not rehearsal.picture:
            return "–"
        address = reverse("admin:rollback_rehearsal_picture", args=[rehearsal.pk])
        words = _("The rehearsal's steps, one after the other, each as long as it took.")
        return format_html(
            '<div class="report-scroll" tabindex="0"><img class="report-picture" src="{}" alt="{}"></div>',
            address,
            words,
        )

    @admin.display(description=gettext_lazy("error"))
    def why(self, rehearsal: Rehearsal) -> str:
        return format_html(ALARM, rehearsal.error) if rehearsal.error else "–"

    @admin.display(description=gettext_lazy("report"))
    def page(self, rehearsal: Rehearsal) -> str:
        if not rehearsal.report:
            return "–"
        return format_html('<div class="report">{}</div>', report.html(rehearsal.report))

    def picture_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A response of its own: in a page, it could do whatever a page may."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rehearsal: Rehearsal | None = self.get_object(request, object_id)
        if rehearsal is None or not rehearsal.picture:
            raise Http404
        return HttpResponse(
            rehearsal.picture,
            content_type="image/svg+xml; charset=utf-8",
            headers={
                "Content-Security-Policy": ONLY_DRAWN,
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "private, no-cache",
            },
        )


def certificate(*, now: datetime) -> Sentences:
    """Whether the newest rehearsal that passed says anything about the school as it is now."""
    passed = Rehearsal.objects.filter(passed=True, finished_at__isnull=False)
    newest = passed.order_by("-finished_at").first()
    if newest is not None and newest.finished_at is not None:
        told = {"at": moment(newest.finished_at), "age": shown.minutes(now - newest.finished_at)}
        yield _("The way back was rehearsed with success at %(at)s, %(age)s ago.") % told, False
    warning = certificate_warning(now)
    if warning:
        yield warning, True
    elif newest is not None:
        yield _("It was of the migrations that the school has now, and holds for 7 days."), False


# ---------------------------------------------------------------- schema changes


@admin.register(SchemaChange)
class SchemaChangeAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "state", "what", "stands_on", "actor_name", "took")
    list_filter = ("succeeded", ("incident", admin.EmptyFieldListFilter))
    list_select_related = ("incident",)
    search_fields = ("actor_name", "receipt", "broken_glass")
    date_hierarchy = "started_at"
    fields = (
        "in_words", "started_at", "took", "actor_name", "stands_on", "incident", "steps", "plan_hash", "told",
    )  # fmt: skip

    @display(
        description=gettext_lazy("state"),
        ordering="succeeded",
        label={"done": "success", "failed": "danger", "running": "info"},
    )
    def state(self, change: SchemaChange) -> tuple[str, str]:
        return self._key(change), self.in_words(change)

    def _key(self, change: SchemaChange) -> str:
        if change.succeeded is None:
            return "running"
        return "done" if change.succeeded else "failed"

    @admin.display(description=gettext_lazy("state"))
    def in_words(self, change: SchemaChange) -> str:
        words = {"running": _("Under way"), "done": _("Done"), "failed": _("Failed")}
        return words[self._key(change)]

    @admin.display(description=gettext_lazy("migrations"))
    def what(self, change: SchemaChange) -> str:
        names = [words for words, _undone in _steps(change)]
        more = _("%(first)s and %(more)s more")
        if len(names) > 2:
            return more % {"first": ", ".join(names[:2]), "more": len(names) - 2}
        return ", ".join(names) or "–"

    @admin.display(description=gettext_lazy("on the strength of"))
    def stands_on(self, change: SchemaChange) -> str:
        if change.broken_glass:
            words = _("no backup: %(reason)s") % {"reason": change.broken_glass}
            return format_html(ALARM, words)
        if change.receipt:
            return _("backup %(name)s, verified") % {"name": change.receipt}
        return format_html(ALARM, _("nothing that is known"))

    @admin.display(description=gettext_lazy("migrations, in order"))
    def steps(self, change: SchemaChange) -> str:
        return render_to_string("admin/rollback/schema_steps.html", {"steps": _steps(change)})

    @admin.display(description=gettext_lazy("took"))
    def took(self, change: SchemaChange) -> str:
        return _took(change)

    @admin.display(description=gettext_lazy("what was noted"))
    def told(self, change: SchemaChange) -> str:
        return facts.table(change.report)


def _steps(change: SchemaChange) -> list[tuple[str, bool]]:
    """(migration, whether it was undone); what is no step stands there as it is."""
    found = []
    for one in change.plan if isinstance(change.plan, list) else []:
        if isinstance(one, list) and len(one) == 3:
            found.append((f"{one[0]}.{one[1]}", bool(one[2])))
        else:
            found.append((facts.value(one), False))
    return found


def _took(row: Backup | Rehearsal | SchemaChange) -> str:
    return "–" if row.finished_at is None else event_words.span(row.finished_at - row.started_at)
