"""Reads stories into the regions of the demo.

The scans of each service run against the answers in its file, and yield its series. Their formulas are then
inverted, so that utilization and throttled demand follow the stories.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from botocore.exceptions import ClientError

from collectors.base import Collector, Observed, Usage
from collectors.registry import Registry
from monitor.demo.answers import AnswerKey, AnswerTable
from monitor.demo.inversion import InversionError, MetricValues, MinuteFunction
from monitor.demo.region import DemoQuota, DemoRegion
from monitor.demo.services.quotas import QUOTAS
from monitor.demo.story_aws import StoryAws
from monitor.demo.story_book import ASSUMED_LIMIT, RegionBook, StoriedSeries, StoryBook
from monitor.demo.story_file import StoryError, StoryFile
from monitor.demo.traffic import QUIET, Traffic
from rules.limits import LimitSource, effective_limit
from rules.problem_text import suggestion
from rules.signals import Service, Signal
from rules.strict_yaml import DocumentPath

PUBLISHED_LIMIT = 1000.0  # in the signal's unit, if only a metric in CloudWatch tells the limit


async def read_stories(
    files: Sequence[StoryFile], registry: Registry, world: Mapping[str, DemoRegion]
) -> StoryBook:
    """Return the stories of the regions of a world. Raises StoryError with all problems of the files."""
    problems = [problem for file in files for problem in _file_problems(file, registry, world)]
    if problems:
        raise StoryError(problems)
    regions = {}
    for region in world.values():
        if not region.denied:
            reader = _RegionReader(region, files, registry)
            regions[region.name] = await reader.read()
            problems += reader.problems
    if problems:
        raise StoryError(problems)
    applied_quotas = {code: value for book in regions.values() for code, value in book.quotas.items()}
    return StoryBook(regions, tuple(_quotas(registry.services.values(), applied_quotas)))


def _file_problems(file: StoryFile, registry: Registry, world: Mapping[str, DemoRegion]) -> Iterator[str]:
    expected_regions = {region.name for region in world.values() if not region.denied}
    service, regions = file.stories.service, file.stories.regions
    if service not in registry.services:
        yield file.problem_at(("service",), f"no service {service}{suggestion(service, registry.services)}")
    for name in sorted(regions.keys() - expected_regions):
        yield file.problem_at(("regions", name), f"no region of the demo{suggestion(name, expected_regions)}")
    for name in sorted(expected_regions - regions.keys()):
        yield file.problem_at(("regions",), f"missing the region {name}")
    codes = {quota.code for quota in registry.quotas({service} & registry.services.keys())}
    for name, code in ((name, code) for name, stories in regions.items() for code in stories.quotas):
        if code not in codes:
            yield file.problem_at(("regions", name, "quotas", code), f"no quota of {service}")


class _RegionReader:
    """Reads the stories of one region."""

    def __init__(self, region: DemoRegion, files: Sequence[StoryFile], registry: Registry) -> None:
        self._region, self._files, self._registry = region, files, registry
        self._stories = {file.name: file.stories.regions[region.name] for file in files}
        self.problems: list[str] = []

    async def read(self) -> RegionBook:
        """Return the stories of the region, and add their problems to `problems`."""
        book = RegionBook(AnswerTable(self._merged_answers()))
        for stories in self._stories.values():
            book.quotas |= stories.quotas
        quiet_series = []
        for file in self._files:
            service = file.stories.service
            observed_by_name = {
                _series_name(observed): observed for observed in await self._observe(file, book.answers)
            }
            self._follow_stories(file, observed_by_name, book)
            quiet_series += [
                self._storied_series(service, observed, book.quotas, QUIET)
                for name, observed in observed_by_name.items()
                if name not in self._stories[file.name].stories
            ]
        # The first series to set a shared metric decides its value. The lowest limits are first, because a
        # usage that is quiet for the lowest limit is quiet for the others, too.
        for series in sorted(quiet_series, key=lambda series: series.limit or ASSUMED_LIMIT):
            with suppress(InversionError):  # such a series has metrics without points
                _set_metrics(series, book.values)
        return book

    def _follow_stories(
        self, file: StoryFile, observed_by_name: Mapping[str, Observed], book: RegionBook
    ) -> None:
        """Set the metrics of the series that have stories in a file, and add these series to the book."""
        for name, traffic in self._stories[file.name].stories.items():
            if observed := observed_by_name.get(name):
                series = self._storied_series(file.stories.service, observed, book.quotas, traffic)
                book.series[series.name] = series
                self._follow_story(file, name, series, book.values)
            else:
                self._report(file, ("stories", name), f"no such series{suggestion(name, observed_by_name)}")

    def _merged_answers(self) -> dict[AnswerKey, Any]:
        merged: dict[AnswerKey, Any] = {}
        for file in self._files:
            for key, answer in self._stories[file.name].answers_by_call().items():
                if merged.setdefault(key, answer) != answer:
                    self._report(file, ("answers", str(key)), "another file has another answer to this call")
        return merged

    async def _observe(self, file: StoryFile, answers: AnswerTable) -> list[Observed]:
        """Return the series of the file's service; report missing and unused answers as problems."""
        series: list[Observed] = []
        aws = StoryAws(self._region.name, self._region.start * 60.0, answers)
        for scan in self._collector(file.stories.service).scans:
            try:
                async for observed in scan(aws):
                    series.append(observed)
            except* ClientError:
                pass
            except* Exception as errors:
                self._report(file, ("answers",), "; ".join(map(str, errors.exceptions)))
        for key in aws.missing:
            self._report(file, ("answers",), f"no answer to {key}")
        for text in self._stories[file.name].answers:
            if any(str(key) == text for key in answers.unused):
                self._report(file, ("answers", text), f"{file.stories.service} makes no such call")
        return series

    def _collector(self, service: str) -> Collector:
        (collector,) = self._registry.collectors_of({service})
        return collector

    def _storied_series(
        self, service: str, observed: Observed, applied_quotas: Mapping[str, float], traffic: Traffic
    ) -> StoriedSeries:
        signal = self._registry.signal(service, observed.signal)
        name = f"{service} {_series_name(observed)}"
        return StoriedSeries(name, observed, self._limit(observed, signal, applied_quotas), traffic)

    def _limit(self, observed: Observed, signal: Signal, applied_quotas: Mapping[str, float]) -> float | None:
        quota_value = applied_quotas.get(signal.quota.code) if signal.quota else None
        candidates = {
            LimitSource.API: observed.limit,
            LimitSource.APPLIED: quota_value and quota_value * signal.quota_unit,
            LimitSource.DOCUMENTED: signal.default_limit(self._region.name),
        }
        limit = effective_limit(candidates, self._region.start * 60)
        if limit:
            return limit.value
        return PUBLISHED_LIMIT if observed.published_limit else None

    def _follow_story(self, file: StoryFile, name: str, series: StoriedSeries, values: MetricValues) -> None:
        observed = series.observed
        if not isinstance(observed.usage, Usage) and not observed.throttled:
            reason = "no metric to follow a story with: the answers of AWS alone tell its usage"
            self._report(file, ("stories", name), reason)
            return
        try:
            _set_metrics(series, values)
        except InversionError as error:
            self._report(file, ("stories", name), str(error))

    def _report(self, file: StoryFile, where: DocumentPath, sentence: str) -> None:
        self.problems.append(file.problem_at(("regions", self._region.name, *where), sentence))


def _series_name(observed: Observed) -> str:
    return f"{observed.signal} {observed.resource.display_name}".strip()


def _set_metrics(series: StoriedSeries, values: MetricValues) -> None:
    """Set the metrics of a series that no earlier series has set. Raises InversionError.

    Throttled demand is set first, as the usage may be the demand minus throttled demand. The usage is set
    first if the series has a story and no known limit, as no demand is throttled then.
    """
    observed = series.observed
    if observed.published_limit and series.limit:
        values.follow(observed.published_limit, _constant(series.limit))
    targets = [(observed.throttled, series.throttled_demand), (observed.usage, series.usage)]
    targets = targets if series.limit or series.is_quiet else targets[::-1]
    for usage, target in (*targets, (observed.served, series.usage), (observed.upper_bound, series.usage)):
        if isinstance(usage, Usage):
            values.follow(usage, target)


def _constant(value: float) -> MinuteFunction:
    return lambda minutes: np.full(len(minutes), value)


def _quotas(services: Iterable[Service], applied_quotas: Mapping[str, float]) -> Iterator[DemoQuota]:
    """Yield the quotas that services declare and QUOTAS does not contain, in the unit of Service Quotas.

    The default of a quota is the documented one, else the applied value, else 0: some quotas are granted on
    request only.
    """
    yielded_codes = {quota.code for quota in QUOTAS}
    for signal in (signal for service in services for signal in service.signals.values()):
        quota, documented, unit = signal.quota, signal.default, signal.quota_unit
        if quota and quota.code not in yielded_codes:
            yielded_codes.add(quota.code)
            default = documented.value / unit if documented else applied_quotas.get(quota.code, 0.0)
            by_region = (
                {name: value / unit for name, value in documented.by_region.items()} if documented else {}
            )
            yield DemoQuota(quota.service, quota.code, signal.title, default, by_region=by_region)
