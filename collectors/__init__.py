"""How the usage and the limits of AWS resources are read: a declaration or a module for each service."""
