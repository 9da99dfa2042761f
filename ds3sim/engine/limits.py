"""Which engines there are, and what they can hold."""

from __future__ import annotations

MOST_TRACES = 10**15
RANDOM = ("traces", "population", "importance")
NUMBERS = ("exact", "closed_form")
MOST_STEPS_PER_TRACE = 2**24
"""Largest histogram of hitting times, in steps."""
MOST_VOTES = 2000
