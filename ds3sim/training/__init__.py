"""From training compute to skills: formulas and simulations of the tripartite graph (docs/training.md).

Where a docstring says no more, an argument outside its range raises ``InputError``.
"""
