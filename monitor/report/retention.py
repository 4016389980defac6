"""The days for which CloudWatch keeps points, by the step: the minutes between two points."""

from typing import Final

KEPT_DAYS_BY_STEP: Final = {1: 15, 5: 63}
MAX_DAYS: Final = max(KEPT_DAYS_BY_STEP.values())
