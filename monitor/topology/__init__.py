"""Request paths: their hops in the fleet, what they carry, and how they are discovered."""
