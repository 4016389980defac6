"""The error of declared services that cannot be used."""

from monitor.lib.errors import HeadroomError


class DeclarationError(HeadroomError, ValueError):
    """Declared services that cannot be used. problems: one line each, with file and line."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))
