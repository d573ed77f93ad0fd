from holidays.admin.holidays import HolidayAdmin
from holidays.admin.regions import RegionAdmin, TeacherRegionAdmin

__all__ = ["HolidayAdmin", "RegionAdmin", "TeacherRegionAdmin"]
