"""Series as text, SVG and AWS commands, for pages, reports and terminals."""
