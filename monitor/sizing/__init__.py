"""The right size of what is bought, by the demand of a fortnight, and what that costs or saves."""
