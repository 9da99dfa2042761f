"""Whether this process was forked from one in which JAX had run: its threads are gone, and using it would hang."""

from __future__ import annotations

import os
import sys

inherited = False
"""JAX had run before the fork; set in the child."""


def _look() -> None:
    global inherited
    bridge = sys.modules.get("jax._src.xla_bridge")  # JAX has no public name for it
    started = getattr(bridge, "backends_are_initialized", lambda: bridge is not None)
    inherited = inherited or bool(started())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_look)
