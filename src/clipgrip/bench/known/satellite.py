"""Satellite and aerial scenes in class folders without an official split: EuroSAT and RESISC45.

Neighbouring places look alike, so a test image at random has its neighbours in the pool. Where a published list lies
beside the images it decides, one by longitude before one at random; without any, a share is held out by content.
"""

from __future__ import annotations

from pathlib import Path

from clipgrip.bench.known.base import KnownSet, Listing, folder_per_class, listed
from clipgrip.bench.known.lists import SplitList, with_parts

EUROSAT_SOURCE = "https://zenodo.org/records/7711810 (EuroSAT_RGB.zip)"
EUROSAT_FOLDERS = {
    "annual crop land": "AnnualCrop",
    "forest": "Forest",
    "brushland or shrubland": "HerbaceousVegetation",
    "highway or road": "Highway",
    "industrial buildings or commercial buildings": "Industrial",
    "pasture land": "Pasture",
    "permanent crop land": "PermanentCrop",
    "residential buildings or homes or apartments": "Residential",
    "river": "River",
    "lake or sea": "SeaLake",
}
EUROSAT_LISTS = (
    SplitList("eurosat-spatial-{}.txt", "longitude"),
    SplitList("eurosat-{}.txt"),
    SplitList("split_zhou_EuroSAT.json"),
)
RESISC_SOURCE = "https://gcheng-nwpu.github.io/ (NWPU-RESISC45)"
RESISC_CLASSES = listed(
    """
    airplane; airport; baseball diamond; basketball court; beach; bridge; chaparral; church; circular farmland;
    cloud; commercial area; dense residential; desert; forest; freeway; golf course; ground track field; harbor;
    industrial area; intersection; island; lake; meadow; medium residential; mobile home park; mountain;
    overpass; palace; parking lot; railway; railway station; rectangular farmland; river; roundabout; runway;
    sea ice; ship; snowberg; sparse residential; stadium; storage tank; tennis court; terrace; thermal power
    station; wetland
    """
)

RESISC_LISTS = (SplitList("resisc45-{}.txt"),)


def _eurosat(folder: Path, _work: Path) -> Listing:
    """``AnnualCrop/AnnualCrop_1.jpg``, perhaps one or two folders deeper."""
    root = _down_to(folder, "AnnualCrop")
    names = tuple(EUROSAT_FOLDERS)
    files = folder_per_class(root, names, EUROSAT_FOLDERS.__getitem__, EUROSAT_SOURCE)
    return with_parts(files, root, folder, EUROSAT_LISTS)


def _resisc(folder: Path, _work: Path) -> Listing:
    """``airplane/airplane_001.jpg``, perhaps in a folder ``NWPU-RESISC45``."""
    root = _down_to(folder, "airplane")
    files = folder_per_class(
        root, RESISC_CLASSES, lambda name: name.replace(" ", "_"), RESISC_SOURCE
    )
    return with_parts(files, root, folder, RESISC_LISTS)


def _down_to(folder: Path, inside: str) -> Path:
    """The folder itself or one at most two levels below that holds ``inside``."""
    places = [folder, *sorted(folder.glob("*")), *sorted(folder.glob("*/*"))]
    return next((place for place in places if (place / inside).is_dir()), folder)


EUROSAT = KnownSet(
    "eurosat",
    "EuroSAT",
    "a centered satellite photo of {}.",
    tuple(EUROSAT_FOLDERS),
    27_000,
    EUROSAT_SOURCE,
    _eurosat,
)
RESISC45 = KnownSet(
    "resisc45",
    "RESISC45",
    "a centered satellite photo of {}.",
    RESISC_CLASSES,
    31_500,
    RESISC_SOURCE,
    _resisc,
)
