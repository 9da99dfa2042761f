"""Errors a user can cause. Each message names the value, the cause and the fix."""


class InputError(ValueError):
    """Something the user gave cannot be used: a config, a graph, a budget, an argument.

    The message is one line: what was given, why it cannot be, what to do instead. The command line
    prints it as ``error: ...`` and exits with 2.
    """

    def __init__(self, message: str):
        line = " ".join(str(message).split())
        # Control characters of a name or value would reach the terminal.
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line))


class NoClosedForm(InputError):
    """No formula is known for this task. The message says which part has none."""


class StoppedEarly(KeyboardInterrupt):
    """Ctrl-C during a run. ``partial`` holds what was computed until then."""

    def __init__(self, partial):
        super().__init__("stopped by Ctrl-C; what was computed is kept")
        self.partial = partial


def require(condition: bool, message: str) -> None:
    """Raise :class:`InputError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise InputError(message)


def shown(value, most: int = 60) -> str:
    """``value`` for a message, as Python writes it, cut to ``most`` characters."""
    try:
        text = repr(value)
    except ValueError:  # an int of more than 4300 digits
        return f"a huge {type(value).__name__}"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def whole_number(name: str, value, low: int, high: int | None = None) -> int:
    """``value`` as an int in [low, high].

    Raises:
        InputError: it is out of range, a bool, a fraction, NaN, infinite or no number.
    """
    import numbers

    whole = None
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        whole = int(value)  # not through float: that keeps 53 bits only
    elif isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            whole = int(float(value)) if float(value).is_integer() else None
        except OverflowError:  # a Fraction that no float can hold
            whole = None
    if whole is None or whole < low or (high is not None and whole > high):
        bound = f"at least {low}" if high is None else f"between {low} and {high}"
        raise InputError(f"{name} = {shown(value)} is not allowed: it must be a whole number, {bound}")
    return whole


def fraction(name: str, value, low: float = 0.0, high: float = 1.0) -> float:
    """``value`` as a float in [low, high].

    Raises:
        InputError: it is out of range, a bool, NaN or no number.
    """
    import contextlib
    import math
    import numbers

    number = math.nan
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # a huge int has no float
            number = float(value)
    if not low <= number <= high:
        raise InputError(f"{name} = {shown(value)} is not allowed: it must be a number between {low:g} and {high:g}")
    return number
