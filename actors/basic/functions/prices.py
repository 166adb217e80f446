"""
What functions cost with small arguments, in steps. What they cost with large ones is counted when they look at them.
"""

from __future__ import annotations

from typing import Final

__all__ = ["STEPS", "USUAL"]

USUAL: Final = 4
"""Steps of the functions that are not named here."""

_BY_STEPS: Final = {
    4: "len length lcase lower lowercase ucase upper uppercase trim ltrim rtrim left right mid",
    12: "val pow log repeat reverse isnumeric is_numeric extract_before extract_after contains startswith starts_with "
    "endswith ends_with instr replace error chr split tonumber to_number nvl coalesce ifnull capitalize unshift abs "
    "int floor",
    20: "datevalue date_value time time_value flatten range pad random take drop "
    "extract_between index_of indexof last_index_of lastindexof now today",
    32: "round cint sum avg average batch chunk year month day hour minute second weekday cdate add_days join first "
    "last slice concat isdate is_date json tojson to_json uuid guid max min",
    65: "hash dateadd date_add eomonth timestamp timevalue hours_between minutes_between seconds_between parse_csv "
    "parse_json toyaml to_yaml unique distinct sort",
    115: "format format_date format_time datediff date_diff days_between csv xml excel",
}

STEPS: Final = {name: steps for steps, names in _BY_STEPS.items() for name in names.split()}
"""By name."""
