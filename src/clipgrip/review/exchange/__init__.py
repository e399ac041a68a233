"""Answers out and in: CSV, class folders, Label Studio, COCO and FiftyOne's image classification layout."""

from clipgrip.review.exchange.exporting import EXPORTS, exported
from clipgrip.review.exchange.importing import IMPORTS, imported
from clipgrip.review.exchange.written import Options, Written

__all__ = ["EXPORTS", "IMPORTS", "Options", "Written", "exported", "imported"]
