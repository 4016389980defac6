"""The tags of a cell's resources, as labels of their series.

The tags of all services are read at once, and only if the configuration uses tags. If tags cannot be read,
the labels stay as they were.
"""

from collections.abc import Iterable, Mapping

from collectors import tags
from collectors.base import Collector
from monitor.aws.cell import Cell
from monitor.aws.failure import Failure, failure_from
from monitor.aws.scan import Scan
from monitor.fleet.key import Key
from monitor.lib.text import replace_surrogates


class TagLabels:
    """The tags of a cell's resources. labels: the label of each configured tag, by the tag's key."""

    def __init__(self, cell: Cell, labels: Mapping[str, str]) -> None:
        self._cell, self._labels = cell, labels
        self._tags_by_arn: Mapping[str, tags.Tags] | None = None  # None until tags were read

    def collectors_with_arns(self, collectors: Iterable[Collector]) -> list[Collector]:
        """Return the collectors whose tags are read by ARN; none if the configuration uses no tags."""
        return [collector for collector in collectors if collector.arns] if self._labels else []

    async def read(self, collectors: Iterable[Collector]) -> list[Failure]:
        """Read the tags of the collectors' resources. After a failure, return it, and keep the known tags."""
        templates = [template for collector in collectors for template in collector.arns.values()]
        try:
            self._tags_by_arn = await tags.read(Scan(self._cell), templates, self._labels.keys())
        except Exception as error:  # an error of AWS, or a response of an unexpected form
            return [failure_from(error, "GetResources")]
        return []

    def labels_of(self, collector: Collector, key: Key, observed: tags.Tags, present: tags.Tags) -> tags.Tags:
        """Return the labels of a series that come from tags.

        observed: the tags that the collector read. present: the labels that the series has now. The series
        keeps these labels until this object has read tags for the first time: a reload makes a new object.
        """
        if collector.arns and self._tags_by_arn is None:
            return {label: present[label] for label in self._labels.values() if label in present}
        all_tags = {**self._tags_read_by_arn(collector, key), **observed} if self._labels else {}
        return {
            label: replace_surrogates(all_tags[tag]) for tag, label in self._labels.items() if tag in all_tags
        }

    def _tags_read_by_arn(self, collector: Collector, key: Key) -> tags.Tags:
        """Return the tags of a resource, and the tags of the resources that it is a part of."""
        tags_by_arn = self._tags_by_arn or {}
        arns = tags.arns_of(collector, Scan(self._cell), key.subject) if tags_by_arn else ()
        return {tag: value for arn in arns for tag, value in tags_by_arn.get(arn, {}).items()}
