"""The pages: what is refused now, what is next and what is not seen, for a browser."""
