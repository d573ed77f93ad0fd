"""Import and export on the admin page of a table that `import_school` knows.

django-import-export brings the buttons, the pages' addresses and the order of things: choose a file,
look at what it would do, confirm. Files are read, saved and written by the school's own tables.
"""

from typing import Any

import structlog
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from import_export.admin import ImportExportMixin

from enrollment.admin.resources import (
    Csv,
    Semicolons,
    SheetResource,
    SheetResult,
    Tabs,
    imports_so_far,
    in_words,
    resource_of,
)
from enrollment.admin.uploads import ConfirmSheetForm, SheetExportForm, SheetImportForm, Uploads
from enrollment.importing import exporting
from enrollment.operations import uploads
from enrollment.operations.import_school import MOST_LINES, table_of

log = structlog.get_logger(__name__)


class SheetAdmin(ImportExportMixin):
    """Before ModelAdmin among the bases."""

    import_template_name = "admin/sheets/import.html"
    export_template_name = "admin/sheets/export.html"
    import_export_change_list_template = "admin/sheets/change_list.html"
    import_form_class = SheetImportForm
    confirm_form_class = ConfirmSheetForm
    export_form_class = SheetExportForm
    tmp_storage_class = Uploads
    import_formats = [Csv]
    export_formats = [Csv, Semicolons, Tabs]
    # SheetResource writes one entry for the file, in the import's own transaction.
    skip_admin_log = True

    def get_resource_classes(self, request: HttpRequest) -> list[type[SheetResource]]:
        return [resource_of(self.model)]

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_add_permission(request) and self.has_change_permission(request))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    # ------------------------------------------------------------ import
    def get_import_form_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().get_import_form_kwargs(request), "owner": self._owner(request)}

    def get_confirm_form_kwargs(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        kwargs = super().get_confirm_form_kwargs(request, import_form)
        return {**kwargs, "owner": self._owner(request)}

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        if import_form is None:
            return {}
        name = import_form.cleaned_data["import_file"].tmp_storage_name
        return {"import_file_name": name.rpartition(":")[2]}

    def write_to_tmp_storage(self, import_file: Any, input_format: Csv) -> Uploads:
        owner = import_file.owner
        token = uploads.keep(owner=owner, file_name=import_file.name, data=import_file.read())
        return Uploads(name=f"{owner}:{token}")

    def _owner(self, request: HttpRequest) -> str:
        return f"{request.user.pk}:{self.opts.label_lower}"

    def get_import_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            "sheet": table_of(self.model).sheet,
            "imports": imports_so_far(self.model),
            "most_lines": MOST_LINES,
        }

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Asks the form first: for a file that is not there the way back is the answer."""
        if request.method == "POST" and self.has_import_permission(request):
            confirm_form = self.create_confirm_form(request)
            if not confirm_form.is_valid():
                for words in confirm_form.non_field_errors():
                    messages.error(request, words)
                return HttpResponseRedirect(self._page("import"))
        response: HttpResponse = super().process_import(request, **kwargs)
        return response

    def process_result(self, result: SheetResult, request: HttpRequest) -> HttpResponse:
        if not result.has_errors():
            response: HttpResponse = super().process_result(result, request)
            return response
        # The school has changed since the preview, and the file does not fit any more.
        resources = self.get_resource_classes(request)
        form = SheetImportForm(self.import_formats, resources, owner=self._owner(request))
        context = {
            **self.admin_site.each_context(request),
            **self.get_import_context_data(),
            "title": _("Import"),
            "opts": self.opts,
            "form": form,
            "result": result,
        }
        return TemplateResponse(request, self.import_template_name, context)

    def add_success_message(self, result: SheetResult, request: HttpRequest) -> None:
        words = _("Imported: %(counts)s.") % {"counts": in_words(result.counts)}
        messages.success(request, words)

    # ------------------------------------------------------------ export
    def export_action(self, request: HttpRequest) -> HttpResponse:
        try:
            if "%00" in request.META["QUERY_STRING"]:
                raise IncorrectLookupParameters  # else the database would say so, too late
            response: HttpResponse = super().export_action(request)
        except IncorrectLookupParameters:
            messages.error(request, _("The list cannot be filtered like that. This is all of it."))
            return HttpResponseRedirect(self._page("export"))
        return response

    def init_request_context_data(self, request: HttpRequest, form: Any) -> dict[str, Any]:
        """How many rows the file will have: the list's filters and search stay in the address."""
        table = table_of(self.model)
        context: dict[str, Any] = super().init_request_context_data(request, form)
        return context | {
            "sheet": table.sheet,
            "count": exporting.exported(table, self.get_export_queryset(request)).count(),
            "total": exporting.exported(table, self.get_queryset(request)).count(),
        }

    def _do_file_export(
        self, file_format: Csv, request: HttpRequest, queryset: Any, export_form: Any = None
    ) -> StreamingHttpResponse:
        lines = resource_of(self.model)().export(queryset, delimiter=file_format.delimiter)
        name = table_of(self.model).sheet.file
        log.info("table exported", table=self.opts.label_lower, user=request.user.pk)
        return StreamingHttpResponse(
            lines,
            content_type=file_format.get_content_type(),
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _page(self, kind: str) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{kind}")
