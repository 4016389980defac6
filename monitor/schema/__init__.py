"""The types of configuration values, and the problems that are reported of wrong ones."""
