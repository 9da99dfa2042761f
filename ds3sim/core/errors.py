"""Errors a user can cause. Each message names the value, the cause and the fix."""


class InputError(ValueError):
    """Something the user gave cannot be used: a config, a graph, a budget, an argument.

    The message is one line: what was given, why it cannot be, what to do instead. The command line
    prints it as ``error: ...`` and exits with 2.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(str(message).split()))


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


def whole_number(name: str, value, low: int, high: int | None = None) -> int:
    """``value`` as an int in [low, high]; bools, fractions, NaN and strings are refused."""
    import numbers

    bound = f"at least {low}" if high is None else f"between {low} and {high}"
    refusal = f"{name} = {value!r} is not allowed: it must be a whole number, {bound}"
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise InputError(refusal)
    require(abs(float(value)) < float("inf") and float(value).is_integer(), refusal)
    whole = value if isinstance(value, int) else int(float(value))
    require(whole >= low and (high is None or whole <= high), refusal)
    return whole


def fraction(name: str, value, low: float = 0.0, high: float = 1.0) -> float:
    """``value`` as a float in [low, high]; NaN, bools and strings are refused."""
    import numbers

    ok = isinstance(value, numbers.Real) and not isinstance(value, bool)
    ok = ok and low <= float(value) <= high
    require(ok, f"{name} = {value!r} is not allowed: it must be a number between {low:g} and {high:g}")
    return float(value)
