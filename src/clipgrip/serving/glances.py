"""What pictures look like, noted while they are decoded for the model, so that each is decoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image

from clipgrip.backbone.embed import Item
from clipgrip.data.manifest import Row
from clipgrip.data.reading import open_row
from clipgrip.errors import DataError
from clipgrip_line.pictures.looks import Looks, looks_of


@dataclass
class Glances:
    """Looks by content hash."""

    found: dict[str, Looks] = field(default_factory=dict)

    def item_of(self, row: Row) -> Item:
        """What the embedding room needs of a row."""

        def opened() -> Image.Image:
            picture = open_row(row)
            self.found[row.sha256] = looks_of(picture)
            return picture

        return row.sha256, opened

    def looks(self, rows: Sequence[Row]) -> tuple[list[Looks], list[int]]:
        """Looks of the rows whose pictures can be read, and their places; one embedded before is opened now."""
        looks, places = [], []
        for place, row in enumerate(rows):
            try:
                known = self.found.get(row.sha256)
                looks.append(looks_of(open_row(row)) if known is None else known)
            except DataError:  # moved or changed since: the embedding is known, the picture is not
                continue
            places.append(place)
        return looks, places
