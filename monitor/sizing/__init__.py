"""The right size of what is bought, by the expected demand, and what that costs or saves."""
