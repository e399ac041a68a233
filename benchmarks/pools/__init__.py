"""Pools of many kinds, on which ways to refine answers are compared."""
