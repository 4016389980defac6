"""Joins the pages of results of one GetMetricData request, and limits their number."""

from collections.abc import Mapping
from math import ceil

from botocore.exceptions import PaginationError

from monitor.aws.pagination import PageTokens
from monitor.polling import codec
from monitor.polling.codec import MetricPage, MetricResult

MAX_POINTS_PER_PAGE = 100_800  # the maximum of GetMetricData
SPARE_PAGES = 10  # allowed beyond the pages that the points fill, as a page may have few points or none


class MetricPages:
    """The results received so far for a request.

    metrics: the requested queries, by number. period_count: the number of periods in the requested range.
    results: by the number of the metric. token: the token of the next page. max_points: the highest possible
    number of points on all pages.
    """

    def __init__(self, metrics: Mapping[int, bytes], period_count: int) -> None:
        self.results: dict[int, MetricResult] = {}
        self.token: str | None = None
        self.max_points = len(metrics) * period_count
        self._numbers = {codec.query_id(n): n for n in metrics}
        self._tokens = PageTokens(ceil(self.max_points / MAX_POINTS_PER_PAGE) + SPARE_PAGES)
        self._received_points = 0

    def add(self, page: MetricPage) -> bool:
        """Add a page; return true if it is the last page.

        Raises PaginationError for more points or pages than the request can have.
        """
        for result in page.metric_data_results:
            self._received_points += len(result.values)
            if result.id in self._numbers:
                self._join(self._numbers[result.id], result)
        if self._received_points > self.max_points and page.next_token:
            raise PaginationError(
                message=f"expected at most {self.max_points} points, found {self._received_points}"
            )
        if page.next_token:
            self._tokens.check(page.next_token)
        self.token = page.next_token
        return not self.token

    def _join(self, n: int, part: MetricResult) -> None:
        """Append a page's part of a metric's result; the last part has the status code that counts."""
        if joined := self.results.get(n):
            joined.timestamps += part.timestamps
            joined.values += part.values
            joined.status_code = part.status_code
        else:
            self.results[n] = part
