"""`headroom top`: a running Headroom on a whole terminal, asked over its API."""
