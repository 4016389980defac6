"""HTTP for every server of the process: connections, content negotiation, errors."""
