"""The quota to increase, named on the command line by a signal, or by a service code and a quota code."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from collectors.quotas import QUOTAS_SERVICE
from collectors.registry import Registry
from monitor.lib.errors import HeadroomError
from rules.problem_text import suggestion
from rules.signals import QUOTA_CODE, LimitKind, Quota, Signal
from rules.units import COUNT, UnitKind

MAX_AMOUNT = 1e15  # the largest value of a quota; a double holds every whole number up to it
# Why no request to Service Quotas increases a limit, by its kind, as the end of "the limit is ...".
NO_INCREASE_REASONS: Mapping[LimitKind, str] = {
    LimitKind.QUOTA: "one that Service Quotas does not increase",
    LimitKind.PROVISIONED: "what was bought or set on the resource, and not a quota",
    LimitKind.FIXED: "a part of the service's design, and not a quota",
}


class UnknownQuotaError(HeadroomError, LookupError):
    """No quota has the given name, or a text is not a possible amount of a quota."""


class RequestRefusedError(HeadroomError):
    """The increase cannot be requested: a check refuses the request, or AWS does not accept it."""


@dataclass(frozen=True, slots=True)
class WantedQuota:
    """The quota to be increased. signal: the signal it limits; None if the quota was named by its codes."""

    quota: Quota
    signal: Signal | None = None

    def amount(self, text: str) -> float:
        """Parse an amount, and return it in the quota's unit.

        The text is in the signal's unit, in which limits are shown; without a signal, it is a number.
        Raises UnknownQuotaError if the text is no amount, or the amount is too large.
        """
        unit = self.signal.unit if self.signal else COUNT
        try:
            number = unit.parse(text)
        except ValueError as error:
            raise UnknownQuotaError(str(error)) from None
        if number > MAX_AMOUNT * self._quota_unit:
            raise UnknownQuotaError(f"expected an amount up to {MAX_AMOUNT:,.0f}, found {text!r}")
        # Rounded before `ceil`, which would add a unit to a whole number whose quotient is inexact.
        return number if self._quota_unit == 1 else float(math.ceil(round(number / self._quota_unit, 6)))

    def text(self, value: float) -> str:
        """Return a value in the quota's unit exactly, and also in the signal's unit if the units differ."""
        number = f"{value:,.0f}" if value.is_integer() else f"{value:,}"
        if not self.signal or (self._quota_unit == 1 and self.signal.unit.kind is UnitKind.COUNT):
            return number
        return f"{number} ({self.signal.unit.format(value * self._quota_unit)})"

    @property
    def _quota_unit(self) -> float:
        """The size of the quota's unit in the signal's unit: 2^40 for a quota in TiB of a signal in bytes."""
        return self.signal.quota_unit if self.signal else 1.0


def find_quota(name: str, registry: Registry) -> WantedQuota:
    """Return the quota of a signal, `service.name`, or the quota with two codes, such as `vpc/L-F678F1CE`.

    Raises UnknownQuotaError if no signal and no quota has this name. Raises RequestRefusedError if the limit
    of the signal is no quota; the error says what the limit is, and the remedy.
    """
    service_code, slash, code = name.partition("/")
    if slash:
        if not service_code or not re.match(QUOTA_CODE, code):
            raise UnknownQuotaError(
                f"expected a service code and a quota code, vpc/L-F678F1CE, found {name!r}"
            )
        return WantedQuota(Quota(service=service_code, code=code))
    signals = {signal.id: signal for signal in registry.signals}
    if name not in signals:
        hint = suggestion(name, signals)
        raise UnknownQuotaError(f"expected a signal or a quota such as vpc/L-F678F1CE, found {name!r}{hint}")
    signal = signals[name]
    if signal.quota:
        return WantedQuota(signal.quota, signal)
    if signal.service == QUOTAS_SERVICE:
        raise RequestRefusedError(
            f"{name} is a signal of many quotas: name one by its codes, which `headroom coverage` lists"
        )
    raise RequestRefusedError(
        f"the limit of {name} is {NO_INCREASE_REASONS[signal.kind]}; remedy: {signal.remedy[0]}"
    )
