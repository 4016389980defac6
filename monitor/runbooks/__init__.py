"""Runbooks: what each alert means and what to do, for Markdown files and for pages."""
