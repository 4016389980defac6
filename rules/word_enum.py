"""Enumerations that are numbers in arrays and words in texts."""

from enum import IntEnum


class WordEnum(IntEnum):
    """A number, exported and compared as such, with a word for people."""

    @property
    def word(self) -> str:
        """The name in configuration, the API, labels and texts."""
        return self.name.lower()
