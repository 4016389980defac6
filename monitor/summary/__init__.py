"""`headroom report`: one look as a page or a Markdown document, to send to those who do not watch."""
