"""The names of labels in Prometheus and Alertmanager.

A scrape adds labels of the target to all samples: the Prometheus Operator adds `service`, `namespace`,
`pod` and `endpoint`, and people add `region`, `account`, `cluster` or `env`. Prometheus renames an exported
label of the same name to `exported_service`, and selectors by `service` match nothing. Therefore the fields
of a series are exported under names that targets do not have. The configuration, the API, pages and webhooks
use the names of the fields.
"""

from collections.abc import Iterable, Mapping

EXPORTED_NAMES = {
    "account": "aws_account",
    "region": "aws_region",
    "service": "aws_service",
    "namespace": "aws_namespace",  # a namespace of CloudWatch
}


def exported_name(field: str) -> str:
    """Return the name of the label under which a field is exported."""
    return EXPORTED_NAMES.get(field, field)


def exported_names(fields: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the labels under which fields are exported."""
    return tuple(map(exported_name, fields))


def exported_labels(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the values of fields by the name of the exported label."""
    return {exported_name(field): value for field, value in fields.items()}
