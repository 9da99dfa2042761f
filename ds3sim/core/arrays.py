"""Arrays with dtype and named dimensions, for signatures: ``UInt32[Array, "lanes 2"]``.

The types are jaxtyping's, which is needed only where annotations are evaluated: by type checkers and in the tests.
Import this module and not its names: ``arrays.UInt32[arrays.Array, "lanes 2"]``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jax
    import numpy as np
    from jaxtyping import Bool, Float64, Int32, UInt32

    Array = np.ndarray | jax.Array
    __all__ = ["Array", "Bool", "Float64", "Int32", "UInt32"]


def __getattr__(name: str) -> Any:
    if name == "Array":
        return import_module("numpy").ndarray | import_module("numpy").generic | import_module("jax").Array
    if name in ("Bool", "Float64", "Int32", "UInt32"):
        return getattr(import_module("jaxtyping"), name)
    raise AttributeError(name)
