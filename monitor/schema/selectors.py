"""Parses the selectors that command-line options give."""

from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from collectors.registry import Registry
from monitor.schema.problems import ConfigError, problem_lines, problems_from_pydantic
from monitor.schema.selector import Selector
from monitor.schema.types import ConfigContext


def parse_selectors(
    patterns_by_label: Mapping[str, Sequence[str] | None], registry: Registry
) -> list[list[Selector]]:
    """Return a list of selectors for each label that has patterns: a series must match one of each list.

    Patterns are written as in the configuration: a signal may be prefixed with its service, and an account
    may be given by name. Raises ConfigError.
    """
    context = ConfigContext(registry=registry)
    try:
        return [
            [Selector.model_validate({label: pattern}, context=context) for pattern in patterns]
            for label, patterns in patterns_by_label.items()
            if patterns
        ]
    except ValidationError as error:
        raise ConfigError(problem_lines("headroom", problems_from_pydantic(error, Selector))) from None
