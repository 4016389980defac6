"""The style of each zone in a terminal, in the syntax of rich."""

from rules.band import Zone

STYLES = {
    Zone.SATURATED: "bold white on red",
    Zone.NEAR: "bold red",
    Zone.ABOVE: "yellow",
    Zone.WITHIN: "green",
    Zone.BELOW: "cyan",
    Zone.STALE: "dim",
    Zone.UNOBSERVABLE: "dim",
}
