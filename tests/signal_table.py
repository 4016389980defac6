"""The table of signals in the README; `make dashboards` writes it."""

from pathlib import Path

from collectors.builtin import builtin_registry
from monitor.report.catalogue import as_markdown

README = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- signals: `headroom catalogue --format markdown` -->\n"
END = "\n<!-- end of signals -->"


def with_signal_table(text: str) -> str:
    """Return the README with the table of today's catalogue between its two marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end
    return f"{before}{BEGIN}{as_markdown(builtin_registry().signals)}{END}{after}"


if __name__ == "__main__":
    README.write_text(with_signal_table(README.read_text("utf-8")), "utf-8")
