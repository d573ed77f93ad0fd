"""availability.csv, along with the school's import."""

from datetime import date, time
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from enrollment.importing.desk import Counts
from enrollment.models import Teacher, User
from enrollment.operations.import_school.run import ImportRefused, import_school
from scheduling.models import AvailabilityRule
from tests.conftest import Switches
from tests.scheduling.conftest import NOW

pytestmark = pytest.mark.django_db

HEAD = "teacher,weekday,starts,ends,valid_from,valid_until\n"
FULL = "teacher,weekday,starts,ends,ends_next_day,every_weeks,valid_from,valid_until\n"
MARTA = "marta@school.example"


def load(folder: Path, text: str) -> Counts:
    (folder / "availability.csv").write_text(text)
    return import_school(folder=folder, now=NOW).counts["availability.csv"]


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ImportRefused) as refused:
        load(folder, text)
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.usefixtures("teacher")
class TestImport:
    def test_rows_become_hours_and_again_nothing(self, tmp_path: Path) -> None:
        text = HEAD + (
            f"{MARTA},Monday,9:00,12:00,,\n"
            f"{MARTA.upper()},Di,14:00,00:00,01.02.2026,2026-06-30\n"
            f"{MARTA},sun.,00:00,00:00,,\n"
        )
        assert load(tmp_path, text) == Counts(created=3)
        assert load(tmp_path, text) == Counts(unchanged=3)
        tuesday = AvailabilityRule.objects.get(weekday=1)
        assert (tuesday.starts, tuesday.ends) == (time(14), time(0))
        assert (tuesday.valid_from, tuesday.valid_until) == (date(2026, 2, 1), date(2026, 6, 30))

    def test_a_changed_end_keeps_the_row(self, tmp_path: Path) -> None:
        load(tmp_path, HEAD + f"{MARTA},Mon,9:00,12:00,,\n")
        before = AvailabilityRule.objects.get().pk
        assert load(tmp_path, HEAD + f"{MARTA},Mon,9:00,13:00,,\n") == Counts(changed=1)
        after = AvailabilityRule.objects.get()
        assert (after.pk, after.ends) == (before, time(13))

    def test_two_rows_that_trade_their_time(self, tmp_path: Path) -> None:
        apart = f"{MARTA},Mon,9:00,12:00,,2026-06-30\n{MARTA},Mon,8:00,10:00,2026-07-01,\n"
        load(tmp_path, HEAD + apart)
        traded = HEAD + f"{MARTA},Mon,9:00,12:00,,2026-12-31\n{MARTA},Mon,8:00,9:00,2026-07-01,\n"
        assert load(tmp_path, traded) == Counts(changed=2)

    def test_a_column_that_is_not_there_changes_nothing(self, tmp_path: Path) -> None:
        load(tmp_path, HEAD + f"{MARTA},Mon,9:00,12:00,,2026-06-30\n")
        short = f"teacher;weekday;starts;ends\n{MARTA};Mon;9:00;12:00\n"
        assert load(tmp_path, short) == Counts(unchanged=1)

    def test_past_midnight_and_every_other_week(self, tmp_path: Path) -> None:
        text = FULL + (
            f"{MARTA},Fri,20:00,1:30,ja,2,2026-01-09,\n{MARTA},Fri,20:00,1:30,YES,2,2026-01-16,\n"
        )
        assert load(tmp_path, text) == Counts(created=2)
        assert load(tmp_path, text) == Counts(unchanged=2)
        rule = AvailabilityRule.objects.earliest("pk")
        assert (rule.ends_next_day, rule.every_weeks, rule.ends) == (True, 2, time(1, 30))
        weekly = FULL + f"{MARTA},Fri,20:00,23:00,,,2026-01-09,2026-01-15\n"
        assert load(tmp_path, weekly) == Counts(changed=1)
        rule.refresh_from_db()
        assert (rule.ends_next_day, rule.every_weeks, rule.ends) == (False, 1, time(23))

    def test_a_file_without_the_new_columns_keeps_what_is_there(self, tmp_path: Path) -> None:
        load(tmp_path, FULL + f"{MARTA},Fri,20:00,1:30,yes,2,2026-01-09,\n")
        assert load(tmp_path, HEAD + f"{MARTA},Fri,20:00,1:30,2026-01-09,\n") == Counts(unchanged=1)
        assert load(tmp_path, HEAD + f"{MARTA},Fri,20:00,2:00,2026-01-09,\n") == Counts(changed=1)
        rule = AvailabilityRule.objects.get()
        assert (rule.ends_next_day, rule.every_weeks, rule.ends) == (True, 2, time(2))

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ("Fri,20:00,1:30,no,1,,", "column ends: “1:30”: must be later than starts"),
            ("Fri,20:00,21:30,yes,1,,", "hours last 24 hours at most"),
            ("Fri,20:00,1:30,perhaps,1,,", "column ends_next_day: “perhaps”: write yes or no."),
            (
                "Fri,20:00,21:00,no,0,,",
                "column every_weeks: “0”: write a whole number from 1 to 52",
            ),
            ("Fri,20:00,21:00,no,2,,", "column valid_from: “”: say from which day on"),
            ("Sat,1:00,3:00,no,1,,", "overlaps Friday 22:00–02:00 (line 2)"),
            ("Mon,0:00,3:00,no,2,2026-01-05,", "overlaps Sunday 22:00–02:00 (line 3)"),
            ("Wed,9:00,10:00,no,3,2026-01-05,", "overlaps Wednesday 09:00–11:00 (from"),
        ],
    )
    def test_bad_rows_of_the_new_columns(
        self, tmp_path: Path, teacher: Teacher, row: str, said: str
    ) -> None:
        AvailabilityRule.objects.create(
            teacher=teacher,
            weekday=2,
            starts=time(9),
            ends=time(11),
            every_weeks=2,
            valid_from=date(2026, 1, 12),
        )
        nights = f"{MARTA},Fri,22:00,2:00,yes,1,,\n{MARTA},Sun,22:00,2:00,yes,1,,\n"
        (problem,) = problems(tmp_path, FULL + nights + f"{MARTA},{row}\n")
        assert "availability.csv, line 4" in problem
        assert said in problem
        assert AvailabilityRule.objects.count() == 1

    def test_every_other_week_in_turn(self, tmp_path: Path) -> None:
        turns = f"{MARTA},Wed,9:00,11:00,,2,2026-01-05,\n{MARTA},Wed,9:00,12:00,,2,2026-01-12,\n"
        assert load(tmp_path, FULL + turns) == Counts(created=2)

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ("nobody@school.example,Mon,9:00,12:00,,", "column teacher"),
            (f"{MARTA},Someday,9:00,12:00,,", "column weekday: “Someday”: write a weekday"),
            (f"{MARTA},M,9:00,12:00,,", "column weekday"),
            (f"{MARTA},Mon,12:00,9:00,,", "column ends: “9:00”: must be later than starts"),
            (f"{MARTA},Mon,9:00:30,12:00,,", "column starts"),
            (f"{MARTA},Mon,9:00,12:00,2026-02-01,2026-01-01", "column valid_until"),
            (f"{MARTA},Mon,10:00,11:00,,", "overlaps Monday 10:30–11:30 (line 2)"),
            (f"{MARTA},Wed,10:00,11:00,,", "overlaps Wednesday 10:30–11:30 (already in the school"),
            (f"{MARTA},Mon,10:30,11:00,,", "already stands in line 2"),
        ],
    )
    def test_bad_rows_say_what_would_be_right(
        self, tmp_path: Path, teacher: Teacher, row: str, said: str
    ) -> None:
        AvailabilityRule.objects.create(
            teacher=teacher, weekday=2, starts=time(10, 30), ends=time(11, 30)
        )
        text = HEAD + f"{MARTA},Mon,10:30,11:30,,\n{row}\n"
        (problem,) = problems(tmp_path, text)
        assert "availability.csv, line 3" in problem
        assert said in problem
        assert AvailabilityRule.objects.count() == 1


@pytest.mark.usefixtures("teacher")
class TestPages:
    """The admin's own import and export, see tests/enrollment/test_sheets.py."""

    TEXT = FULL + (
        f"{MARTA},Monday,09:00,12:00,no,1,,\n"
        f"{MARTA},Friday,20:00,01:30,yes,2,2026-01-09,\n"
        f"{MARTA},Sunday,14:00,00:00,no,1,2026-02-01,2026-06-30\n"
    )

    def page(self, kind: str) -> str:
        return reverse(f"admin:scheduling_availabilityrule_{kind}")

    def test_there_and_back(self, client: Client, staff: User, tmp_path: Path) -> None:
        client.force_login(staff)
        file = SimpleUploadedFile("hours.csv", self.TEXT.encode())
        looked_at = client.post(self.page("import"), {"import_file": file, "resource": "0"})
        token = looked_at.context["confirm_form"]["import_file_name"].value()
        assert [line.number for line in looked_at.context["result"].rows] == [2, 3, 4]
        assert not AvailabilityRule.objects.exists()

        client.post(self.page("process_import"), {"import_file_name": token})

        answer = client.post(self.page("export"), {"format": "0", "resource": "0"})
        exported = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
        assert exported == self.TEXT.replace("\n", "\r\n")
        assert load(tmp_path, exported) == Counts(unchanged=3)

    @pytest.mark.parametrize("kind", ["import", "export", "process_import"])
    def test_they_close_with_their_feature(
        self, client: Client, staff: User, switches: Switches, kind: str
    ) -> None:
        client.force_login(staff)
        switches.kill()
        answer = client.post(self.page(kind))
        assert answer.status_code == 303
