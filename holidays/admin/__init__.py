from holidays.admin.holidays import HolidayAdmin
from holidays.admin.imports import HolidayImportAdmin
from holidays.admin.regions import RegionAdmin, TeacherRegionAdmin
from holidays.admin.sources import HolidaySourceAdmin

__all__ = [
    "HolidayAdmin",
    "HolidayImportAdmin",
    "HolidaySourceAdmin",
    "RegionAdmin",
    "TeacherRegionAdmin",
]
