"""What a call refuses, in one line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ds3sim.core.errors import InputError


def refusal(call: Callable, *args: object, **options: object) -> str:
    """The message of the InputError that a call raises."""
    with pytest.raises(InputError, match=r"\w") as caught:
        call(*args, **options)
    said = str(caught.value)
    assert "\n" not in said and len(said) < 1000, said
    return said


def write(path: Path, content: str | bytes) -> Path:
    """A file with this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
