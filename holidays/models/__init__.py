from holidays.models.closures import Holiday
from holidays.models.regions import Region, TeacherRegion
from holidays.models.sources import HolidayImport, HolidaySource

__all__ = ["Holiday", "HolidayImport", "HolidaySource", "Region", "TeacherRegion"]
