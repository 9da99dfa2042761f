"""The formulas, one function per equation of docs/theory.md. Shares no code with ``engine.exact``.

Where a docstring says no more, arguments broadcast, the result is float64 of the broadcast shape, and an argument
outside its range raises ``InputError``.
"""
