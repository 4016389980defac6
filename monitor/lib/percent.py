"""Formats ratios as percentages."""

MIN_RATIO_IN_WHOLE_PERCENT = 0.1  # smaller ratios are shown with two significant digits
MIN_SHOWN_RATIO = 0.0001  # smaller positive ratios are shown as less than this


def format_percent(ratio: float | None) -> str:
    """Return a ratio as a percentage: `91 %`, `0.42 %`; a dash for None."""
    if ratio is None:
        return "-"
    if 0 < ratio < MIN_SHOWN_RATIO:
        return f"<{MIN_SHOWN_RATIO * 100:g} %"
    return (
        f"{ratio * 100:.0f} %"
        if ratio >= MIN_RATIO_IN_WHOLE_PERCENT or ratio == 0
        else f"{ratio * 100:.2g} %"
    )
