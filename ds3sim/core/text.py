"""Values and numbers as a person wants them: in messages, on pages, in sentences, in the terminal."""

from __future__ import annotations

import math
from typing import Any

MOST_SHOWN = 60
"""Characters of a value in a message."""


def short(value: object, most: int = MOST_SHOWN) -> str:
    """``value`` for a message: one line, cut to ``most`` characters."""
    whole = str(value)
    text = " ".join(whole[: 64 * most].split())  # a field of a file may have megabytes
    return text if len(text) <= most and len(whole) <= 64 * most else f"{text[: most - 3]}..."


def shown(value: object, most: int = MOST_SHOWN) -> str:
    """``value`` for a message as Python writes it: one line, cut to ``most`` characters."""
    try:
        return short(repr(value), most)
    except ValueError:  # an int of more than 4300 digits
        return f"a huge {type(value).__name__}"


def number(value: float | None, digits: int = 4) -> str:
    """A number for a table: 0.5562, 44.41, 12,300, 1.24e13; an en dash where there is none."""
    if value is None:
        return "–"
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e7:
        if float(value).is_integer() or abs(value) >= 10.0**digits:
            return f"{value:,.0f}"
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return f"{value:,.{decimals}f}"
    return scientific(value, digits)


def scientific(value: float, digits: int = 4) -> str:
    """1.24e13, 5e-7: as Python reads it back, without filling zeros."""
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}"


def probability(value: float | None) -> str:
    """A probability with four decimals; more near 1, and powers of ten near 0."""
    if value is None:
        return "–"
    if value in (0.0, 1.0):
        return f"{value:.0f}"
    if 0 < value < 1e-3:
        return scientific(value)
    if 0.9995 < value < 1:
        gap = -math.floor(math.log10(1 - value))
        return f"{value:.{gap + 1}f}" if gap <= 10 else f"1 - {scientific(1 - value, 2)}"
    return f"{value:.4f}"


def signed(value: float | None) -> str:
    """A z-score."""
    if value is None:
        return "–"
    return ("∞" if value > 0 else "-∞") if math.isinf(value) else f"{value:+.2f}"


def in_words(value: Any) -> str:
    """A number in a sentence: 0.2, 24, 1e10."""
    return f"{value:,.4g}" if value == 0 or 1e-4 <= abs(value) < 1e7 else scientific(value)


def amount(value: float) -> str:
    """Two digits, as in 3.1e9; three and plain where short."""
    return f"{value:.3g}" if 0.01 <= value < 10_000 else scientific(value, 2)


def count(value: float) -> str:
    """An amount of things: 1,234, else as :func:`amount`."""
    return f"{value:,.0f}" if 10 <= value < 1e6 else amount(value)


def duration(seconds: float) -> str:
    """A time that something took."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    for most, unit, name in ((120, 60, "min"), (48, 3600, "h"), (730, 86400, "days")):
        if seconds < most * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{amount(seconds / (365.25 * 86400))} years"


def terminal_number(value: float | None, digits: int = 4) -> str:
    """Plain from 0.001 to 10 million, else with an exponent; - for none."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def terminal_budget(steps: float) -> str:
    """A budget in steps, which may be a real number."""
    return f"{steps:,}" if isinstance(steps, int) else terminal_number(steps, 6)


def terminal_probability(value: float | None) -> str:
    """Five decimals; small ones keep their digits."""
    if value is None:
        return "-"
    return f"{value:.5f}" if value == 0 or value >= 1e-3 else f"{value:.3e}"
