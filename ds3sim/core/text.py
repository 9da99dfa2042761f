"""Values and numbers in messages and tables, as a person wants them."""

from __future__ import annotations

MOST_SHOWN = 60
"""Characters of a value in a message."""


def short(value, most: int = MOST_SHOWN) -> str:
    """``value`` for a message: one line, cut to ``most`` characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= most else f"{text[: most - 3]}..."
