"""The formulas, one function per equation of docs/theory.md. Shares no code with ``engine.exact``."""
