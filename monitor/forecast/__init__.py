"""The times at which series will reach their limits: a fortnight of usage, and what follows from it."""
