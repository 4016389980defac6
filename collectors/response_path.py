"""Paths into AWS's responses: JMESPath, with three functions for the parts of texts such as ARNs."""

from typing import Any

from jmespath import Options
from jmespath import compile as compile_path
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions, signature


class _TextFunctions(Functions):
    """`after(text, separator)`, `after_last` and `before`; null without the separator."""

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_after(self, text: str, separator: str) -> str | None:
        _, found, rest = text.partition(separator)
        return rest if found else None

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_after_last(self, text: str, separator: str) -> str | None:
        _, found, rest = text.rpartition(separator)
        return rest if found else None

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_before(self, text: str, separator: str) -> str | None:
        rest, found, _ = text.partition(separator)
        return rest if found else None


OPTIONS = Options(custom_functions=_TextFunctions())


class ResponsePath:
    """A JMESPath. Raises ValueError for a text that is none.

    parsed: its syntax tree, for `collectors.response_types`.
    """

    def __init__(self, text: str) -> None:
        try:
            compiled = compile_path(text)
        except JMESPathError as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"expected a JMESPath, found {text!r}: {reason}") from None
        self.text, self.parsed, self._compiled = text, compiled.parsed, compiled

    def __repr__(self) -> str:
        return f"ResponsePath({self.text!r})"

    def search(self, value: Any) -> Any:
        """Return what the path yields of a value; None for nothing. Raises JMESPathError for a wrong type."""
        return self._compiled.search(value, options=OPTIONS)
