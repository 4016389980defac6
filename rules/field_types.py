"""Types of fields that the models of several files have."""

from typing import Annotated

from pydantic import Field

NonEmptyText = Annotated[str, Field(min_length=1)]
PositiveNumber = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeNumber = Annotated[float, Field(ge=0, allow_inf_nan=False)]
