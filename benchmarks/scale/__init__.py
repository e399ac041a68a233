"""Figures of pools of a million images and more."""
