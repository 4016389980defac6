"""Who may ask, and what: tokens, users, a trusted proxy; and the certificate the server shows."""
