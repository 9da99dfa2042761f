"""Tokens, FLOPs and dollars."""

from ds3sim.cost.model import CostModel, dollars, flops_monkeys

__all__ = ["CostModel", "dollars", "flops_monkeys"]
