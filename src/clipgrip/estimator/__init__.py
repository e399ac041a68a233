"""The scikit-learn face: ``GripClassifier``."""

from clipgrip.estimator.classifier import GripClassifier

__all__ = ["GripClassifier"]
