"""Describable Textures (Cimpoi et al., CVPR 2014)."""

from __future__ import annotations

from pathlib import Path

from clipgrip.bench.known.base import KnownSet, Listed, Listing, Part, listed, needed

SOURCE = "https://www.robots.ox.ac.uk/~vgg/data/dtd/ (dtd-r1.0.1.tar.gz)"
CLASSES = listed(
    """
    banded; blotchy; braided; bubbly; bumpy; chequered; cobwebbed; cracked; crosshatched; crystalline; dotted;
    fibrous; flecked; freckled; frilly; gauzy; grid; grooved; honeycombed; interlaced; knitted; lacelike; lined;
    marbled; matted; meshed; paisley; perforated; pitted; pleated; polka-dotted; porous; potholed; scaly;
    smeared; spiralled; sprinkled; stained; stratified; striped; studded; swirly; veined; waffled; woven;
    wrinkled; zigzagged
    """
)
PARTS: tuple[tuple[str, Part], ...] = (("train1", "pool"), ("val1", "pool"), ("test1", "test"))


def _read(folder: Path, _work: Path) -> Listing:
    """``images/CLASS/FILE`` and the first of the ten official splits; training and validation are the pool."""
    files: list[Listed] = []
    for name, part in PARTS:
        lines = needed(folder, "labels", f"{name}.txt", source=SOURCE).read_text("utf-8").split()
        files += [(line, line.split("/")[0], part) for line in lines]
    return Listing(needed(folder, "images", source=SOURCE), tuple(files))


DTD = KnownSet("dtd", "DTD", "a photo of a {} texture.", CLASSES, 5640, SOURCE, _read)
