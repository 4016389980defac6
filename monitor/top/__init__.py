"""`headroom top`: a terminal application that shows a running Headroom, over its API."""
