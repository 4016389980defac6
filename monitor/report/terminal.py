"""The width of tables that are printed."""

PIPED_WIDTH = 2**20  # characters, more than any line has: without a terminal, no line is wrapped
