"""CSV values that a spreadsheet shows and does not evaluate."""

from monitor.lib.text import escape_unprintable

FORMULA_PREFIXES = ("=", "+", "-", "@")  # a spreadsheet evaluates cells that start with one of these


def spreadsheet_cell(value: object) -> object:
    """Return a value for a CSV cell: an apostrophe precedes text that a spreadsheet would evaluate."""
    if not isinstance(value, str):
        return value
    return ("'" if value.startswith(FORMULA_PREFIXES) else "") + escape_unprintable(value)
