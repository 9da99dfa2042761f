"""The edge of every reader: bytes of others are decoded and converted behind it, and what fails there is one line."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from ds3sim.core.errors import InputError
from ds3sim.core.text import short

Given = ParamSpec("Given")
Found = TypeVar("Found")

OURS = (AssertionError, NameError, ImportError, NotImplementedError)
"""Mistakes of this program, never of a file: they pass."""


@contextmanager
def guard(where: object, what: str) -> Iterator[None]:
    """What is read inside comes from a file that anybody may have made, or damaged.

    Readers say themselves what they know to be wrong. This is for what decoders of other people raise (there are dozens
    of exceptions, which no list keeps up with) and for values that no reader thought of. The exception stays the
    cause of the error. Nothing is computed inside, so that no mistake of a computation is taken for one of the file.

    Args:
        where: the file, as the user named it.
        what: it should be, as in "log".

    Raises:
        InputError: one line that names the file, the cause and the fix.
    """
    try:
        yield
    except (InputError, *OURS):
        raise
    except RecursionError as error:
        raise InputError(f"{where}: is nested too deeply for a {what}: write it flat") from error
    except MemoryError as error:
        told = f" ({short(error, 120)})" if str(error) else ""
        raise InputError(f"{where}: takes more memory than there is{told}: is it a {what}? Split it") from error
    except Exception as error:
        cause = f"{type(error).__name__}: {short(error, 120)}"
        raise InputError(
            f"{where}: cannot be decoded ({cause}): it is damaged, or no {what}: take a copy of it that is whole"
        ) from error


def reads(what: str) -> Callable[[Callable[Given, Found]], Callable[Given, Found]]:
    """A reader whose first argument is the file, or an object with its ``path``: all of it is behind :func:`guard`."""

    def guarded(read: Callable[Given, Found]) -> Callable[Given, Found]:
        @functools.wraps(read)
        def reader(*given: Given.args, **options: Given.kwargs) -> Found:
            path = given[0] if given else options.get("path")
            path = getattr(path, "path", path)  # of an object that keeps a file open
            paths = path if isinstance(path, list | tuple) else [path]
            names = [os.fsdecode(one) for one in paths if isinstance(one, str | bytes | os.PathLike)]
            with guard(short(", ".join(names), 300) or f"the {what}", what):
                return read(*given, **options)

        return reader

    return guarded
