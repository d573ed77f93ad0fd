from holidays.admin.holidays import HolidayAdmin

__all__ = ["HolidayAdmin"]
