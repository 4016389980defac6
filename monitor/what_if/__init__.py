"""Questions about traffic that grows, a region that fails or another limit, and what breaks first then."""
