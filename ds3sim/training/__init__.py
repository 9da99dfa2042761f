"""From training compute to skills: formulas and simulations of the tripartite graph (docs/training.md)."""
