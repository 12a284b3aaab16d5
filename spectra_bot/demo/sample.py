"""Small folders to try the demo workflows with."""

from __future__ import annotations

from pathlib import Path

_BEFORE = {
    "README.md": b"# Shop\n\nOur shop, as customers see it.\n",
    "config/prices.yaml": b"currency: EUR\ncoffee: 2.80\ntea: 2.40\ndiscount: 0\n",
    "site/index.html": b"<h1>Welcome</h1>\n<p>Open from 9 to 17.</p>\n",
    "site/old-offer.html": b"<p>Last year's offer; a release deletes nothing.</p>\n",
}
_AFTER = {
    "README.md": _BEFORE["README.md"],
    "config/prices.yaml": b"currency: EUR\ncoffee: 3.10\ntea: 2.40\ndiscount: 5\n",
    "site/index.html": b"<h1>Welcome</h1>\n<p>Open from 8 to 18.</p>\n",
    "site/spring.html": b"<h1>Spring</h1>\n<p>5 % off everything.</p>\n",
    "site/spring.ico": bytes([0, 0, 1, 0, 1, 0, 16, 16]),
}

WRONG_LINE = "    return whole - whole * percent // 10\n"
"""The mistake in the failing sample."""
PRICES = f'''"""What a basket costs."""


def total(prices: list[int], percent: int = 0) -> int:
    """The sum in cents, less a discount in percent."""
    whole = sum(prices)
{WRONG_LINE}'''
_FAILING = {
    "prices.py": PRICES,
    "test_prices.py": """from prices import total


def test_sum_of_nothing_is_nothing():
    assert total([]) == 0


def test_without_a_discount_all_is_paid():
    assert total([310, 240]) == 550


def test_discount_is_in_percent():
    assert total([1000, 500], percent=10) == 1350
""",
}


def make_sample(place: Path) -> tuple[Path, Path]:
    """A source and a target folder below `place`: two files changed, two new, one the same, one to stay."""
    folders = []
    for name, files in (("source", _AFTER), ("target", _BEFORE)):
        for path, content in files.items():
            file = place / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        folders.append(place / name)
    return folders[0], folders[1]


def make_failing_sample(place: Path) -> Path:
    """A folder below `place` with three tests, of which one fails."""
    folder = place / "shop"
    folder.mkdir()
    for path, text in _FAILING.items():
        (folder / path).write_text(text)
    return folder
