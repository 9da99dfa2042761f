"""Errors a user can cause. Each message names the value, the cause and the fix."""

import warnings
from collections.abc import Callable
from types import UnionType
from typing import Any

from ds3sim.core.text import shown

__all__ = ["InputError", "NoClosedForm", "Note", "StoppedEarly", "note", "require", "require_kind", "shown"]


class InputError(ValueError):
    """Something the user gave cannot be used: a config, a graph, a budget, an argument.

    The message is one line: what was given, why it cannot be, what to do instead. The command line
    prints it as ``error: ...`` and exits with 2.

    >>> ds.SkillGraph.chain(3, 1.5)
    Traceback (most recent call last):
        ...
    ds3sim.core.errors.InputError: success = 1.5 is not allowed: it must be a number between 0 and 1
    """

    def __init__(self, message: str) -> None:
        line = " ".join(str(message).split())
        # Control characters of a name or value would reach the terminal.
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line))


class NoClosedForm(InputError):
    """No formula is known for this task. The message says which part has none.

    >>> ds.closed_form(ds.Task(ds.SkillGraph.chain(3, 0.2), step=ds.Beam(2, 2), steps=20))
    Traceback (most recent call last):
        ...
    ds3sim.core.errors.NoClosedForm: no closed form for step = beam: use engine traces
    """


class StoppedEarly(KeyboardInterrupt):
    """Ctrl-C during a run. ``partial`` holds what was computed until then."""

    def __init__(self, partial: Any) -> None:
        super().__init__("stopped by Ctrl-C; what was computed is kept")
        self.partial = partial


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a study. ``result`` holds what was finished: a record that says that it was interrupted.

    >>> issubclass(ds.Interrupted, KeyboardInterrupt)
    True
    """

    def __init__(self, result: Any) -> None:
        super().__init__("stopped by Ctrl-C; what was finished is kept")
        self.result = result


class Note(UserWarning):
    """Something a user should know of a result that is right as it stands. The command line prints ``note: ...``."""


def note(message: str) -> None:
    """Tell the user at once: a warning in Python, a line on stderr on the command line."""
    warnings.warn(message, Note, stacklevel=3)


def require(condition: bool, message: str) -> None:
    """Raise :class:`InputError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise InputError(message)


def require_kind(value: object, kind: type | UnionType, message: str | Callable[[], str]) -> None:
    """:func:`require` that ``value`` is of a kind, where only an annotation says so: users' values can be anything.

    A ``message`` that is a function is made on failure only: for checks that are done many times.
    """
    if not isinstance(value, kind):
        raise InputError(message if isinstance(message, str) else message())
