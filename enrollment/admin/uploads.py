"""The forms of an import and an export, and where an uploaded file waits."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.forms import ConfirmImportForm
from import_export.tmp_storages import BaseStorage
from unfold.contrib.import_export.forms import ExportForm, ImportForm

from enrollment.admin.resources import Semicolons
from enrollment.domain.sheets import decode
from enrollment.operations import uploads

MOST_BYTES = 5 * 1024 * 1024
# What people choose by mistake, by its first bytes.
KINDS = (
    (b"PK\x03\x04", gettext_lazy("a workbook of a spreadsheet (or another packed file)")),
    (b"\xd0\xcf\x11\xe0", gettext_lazy("an old Excel or Word file")),
    (b"\x89PNG", gettext_lazy("a picture")),
    (b"\xff\xd8\xff", gettext_lazy("a picture")),
    (b"GIF8", gettext_lazy("a picture")),
    (b"RIFF", gettext_lazy("a picture or a sound")),
    (b"%PDF", gettext_lazy("a PDF file")),
    (b"{\\rtf", gettext_lazy("a text document")),
    (b"<", gettext_lazy("a web page or an XML file")),
)
EXCEL_IN_COMMAS = ("en", "ja", "ko", "zh")


class SheetImportForm(ImportForm):
    def __init__(self, *args: Any, owner: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        # There is one format, whatever was posted.
        self.fields["format"] = forms.CharField(widget=forms.HiddenInput, required=False)
        field = self.fields["import_file"]
        field.label = _("CSV file")
        field.help_text = _("At most %(size)s.") % {"size": filesizeformat(MOST_BYTES)}
        field.widget.attrs["accept"] = ".csv,.txt,.tsv,text/csv,text/plain"

    def clean_format(self) -> str:
        return "0"

    def clean_import_file(self) -> "UploadedFile[Any]":
        file: UploadedFile[Any] = self.cleaned_data["import_file"]
        size = file.size or 0
        if size > MOST_BYTES:
            words = _("This file has %(size)s; at most %(most)s can be imported here.")
            sizes = {"size": filesizeformat(size), "most": filesizeformat(MOST_BYTES)}
            raise forms.ValidationError(words % sizes)
        _check_is_text(file.read())
        file.seek(0)
        # Whose it is, for SheetAdmin.write_to_tmp_storage, which is told nothing but the file.
        file.owner = self.owner  # type: ignore[attr-defined]
        return file


def _check_is_text(data: bytes) -> None:
    """:raises ValidationError:"""
    for start, kind in KINDS:
        if data.lstrip().startswith(start):
            words = _("This is %(kind)s, not a CSV file. Save the table as “CSV UTF-8” first.")
            raise forms.ValidationError(words % {"kind": kind})
    if "\x00" in decode(data):
        raise forms.ValidationError(
            _("This is no text: it holds NUL characters. Save the table as “CSV UTF-8” first.")
        )


class ConfirmSheetForm(ConfirmImportForm):
    """Whatever is posted, it finds nothing but the file that this person has looked at."""

    def __init__(self, *args: Any, owner: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        del self.fields["original_file_name"], self.fields["format"], self.fields["resource"]

    def clean_import_file_name(self) -> str:
        token: str = self.cleaned_data["import_file_name"]
        return f"{self.owner}:{token}"

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        upload = Uploads(name=answers.get("import_file_name", ":")).find()
        if upload is None:
            raise forms.ValidationError(
                _("This file is no longer here, or another was chosen since. Choose it again.")
            )
        return answers | {"original_file_name": upload.file_name, "format": "0"}


class SheetExportForm(ExportForm):
    """The separator is the one a spreadsheet in this language expects, unless another is chosen."""

    def __init__(self, formats: Any, resources: Any, **kwargs: Any) -> None:
        super().__init__(formats, resources, **kwargs)
        field = self.fields["format"]
        choices = [(str(index), one().get_title()) for index, one in enumerate(formats)]
        field.choices = choices
        field.widget.choices = choices
        language = translation.get_language() or "en"
        usual = 0 if language.startswith(EXCEL_IN_COMMAS) else formats.index(Semicolons)
        field.initial = str(usual)


class Uploads(BaseStorage):
    """name: owner and token."""

    def find(self) -> uploads.Upload | None:
        owner, _colon, token = self.name.rpartition(":")
        return uploads.find(owner=owner, token=token)

    def read(self) -> bytes:
        found = self.find()
        return found.data if found else b""

    def remove(self) -> None:
        uploads.forget(owner=self.name.rpartition(":")[0])
