"""The ids of AWS accounts."""

import re
from typing import Final

ID_LENGTH: Final = 12  # digits
ACCOUNT_ID: Final = re.compile("[0-9]{12}")
