"""The days for which CloudWatch keeps points, by the minutes between two of them."""

from typing import Final

KEPT_DAYS: Final = {1: 15, 5: 63}
MAX_DAYS: Final = max(KEPT_DAYS.values())
