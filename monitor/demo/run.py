"""`headroom demo`: Headroom over an AWS of its own on loopback."""
