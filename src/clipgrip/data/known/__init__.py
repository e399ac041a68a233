"""The six data sets of "Enhancing CLIP with CLIP" (NeurIPS 2023), read from folders that a user downloaded."""

from clipgrip.data.known.aircraft import AIRCRAFT
from clipgrip.data.known.base import KnownSet, Listing
from clipgrip.data.known.dtd import DTD
from clipgrip.data.known.flowers102 import FLOWERS102
from clipgrip.data.known.mnist import MNIST
from clipgrip.data.known.satellite import EUROSAT, RESISC45

KNOWN: dict[str, KnownSet] = {
    known.name: known for known in (FLOWERS102, RESISC45, AIRCRAFT, MNIST, EUROSAT, DTD)
}

__all__ = ["KNOWN", "KnownSet", "Listing"]
