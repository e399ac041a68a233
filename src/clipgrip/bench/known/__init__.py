"""The six data sets of "Enhancing CLIP with CLIP" (NeurIPS 2023), read from folders that a user downloaded."""

from clipgrip.bench.known.aircraft import AIRCRAFT
from clipgrip.bench.known.base import KnownSet, Listing
from clipgrip.bench.known.dtd import DTD
from clipgrip.bench.known.flowers102 import FLOWERS102
from clipgrip.bench.known.mnist import MNIST
from clipgrip.bench.known.satellite import EUROSAT, RESISC45

KNOWN: dict[str, KnownSet] = {
    known.name: known for known in (FLOWERS102, RESISC45, AIRCRAFT, MNIST, EUROSAT, DTD)
}

__all__ = ["KNOWN", "KnownSet", "Listing"]
