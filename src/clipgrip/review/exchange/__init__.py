"""Answers out and in: CSV, class folders, Label Studio, COCO and FiftyOne's image classification layout."""

from clipgrip.review.exchange.exporting import EXPORTS, exported
from clipgrip.review.exchange.importing import IMPORTS, imported

__all__ = ["EXPORTS", "IMPORTS", "exported", "imported"]
