"""The pages use the words of the documentation of Prometheus, Alertmanager and AWS, and none of their own."""

import re
from pathlib import Path

import pytest

import monitor.web

TEMPLATES = sorted(Path(monitor.web.__path__[0], "templates").glob("*.html"))
# Words that were on the pages. "told" could mean that a receiver was notified, or that AWS reports something.
OWN_WORDS = re.compile(r"(?<![a-z])(told|mind|watching fares|let us in)(?![a-z])", re.IGNORECASE)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_words_of_a_private_language(template: Path) -> None:
    assert OWN_WORDS.findall(template.read_text("utf-8")) == []
