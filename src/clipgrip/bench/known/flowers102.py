"""Oxford Flowers 102 (Nilsback and Zisserman, ICVGIP 2008)."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

from clipgrip.bench.known.base import KnownSet, Listed, Listing, Part, listed, needed
from clipgrip.errors import DataError

SOURCE = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/ (102flowers.tgz, imagelabels.mat, setid.mat)"
CLASSES = listed(
    """
    pink primrose; hard-leaved pocket orchid; canterbury bells; sweet pea; english marigold; tiger lily; moon
    orchid; bird of paradise; monkshood; globe thistle; snapdragon; colt's foot; king protea; spear thistle;
    yellow iris; globe-flower; purple coneflower; peruvian lily; balloon flower; giant white arum lily; fire
    lily; pincushion flower; fritillary; red ginger; grape hyacinth; corn poppy; prince of wales feathers;
    stemless gentian; artichoke; sweet william; carnation; garden phlox; love in the mist; mexican aster; alpine
    sea holly; ruby-lipped cattleya; cape flower; great masterwort; siam tulip; lenten rose; barberton daisy;
    daffodil; sword lily; poinsettia; bolero deep blue; wallflower; marigold; buttercup; oxeye daisy; common
    dandelion; petunia; wild pansy; primula; sunflower; pelargonium; bishop of llandaff; gaura; geranium; orange
    dahlia; pink-yellow dahlia; cautleya spicata; japanese anemone; black-eyed susan; silverbush; californian
    poppy; osteospermum; spring crocus; bearded iris; windflower; tree poppy; gazania; azalea; water lily; rose;
    thorn apple; morning glory; passion flower; lotus; toad lily; anthurium; frangipani; clematis; hibiscus;
    columbine; desert-rose; tree mallow; magnolia; cyclamen; watercress; canna lily; hippeastrum; bee balm; ball
    moss; foxglove; bougainvillea; camellia; mallow; mexican petunia; bromelia; blanket flower; trumpet creeper;
    blackberry lily
    """
)


def _read(folder: Path, _work: Path) -> Listing:
    """``jpg/image_00001.jpg`` to 08189; training and validation ids are the pool, test ids the test."""
    labels = _numbers(needed(folder, "imagelabels.mat", source=SOURCE), "labels")
    setid = needed(folder, "setid.mat", source=SOURCE)
    pool, test = _numbers(setid, "trnid", "valid"), _numbers(setid, "tstid")
    ids: list[tuple[int, Part]] = [*((i, "pool") for i in pool), *((i, "test") for i in test)]
    if not all(1 <= i <= len(labels) and 1 <= labels[i - 1] <= len(CLASSES) for i, _ in ids):
        raise DataError(
            "{folder}: setid.mat and imagelabels.mat do not belong together. Download both "
            "again: {source}",
            folder=folder,
            source=SOURCE,
        )
    files: list[Listed] = [
        (f"image_{i:05d}.jpg", CLASSES[labels[i - 1] - 1], part) for i, part in sorted(ids)
    ]
    return Listing(needed(folder, "jpg", source=SOURCE), tuple(files))


def _numbers(path: Path, *names: str) -> list[int]:
    """Whole numbers of the named variables of a MATLAB file, one after the other."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    data = io.BytesIO(path.read_bytes())
    try:
        found = loadmat(data)
        return [int(number) for name in names for number in found[name].ravel()]
    except (
        MatReadError,
        ValueError,
        TypeError,
        KeyError,
        NotImplementedError,
        OSError,
        zlib.error,
    ):
        raise DataError(
            "{path} is not the MATLAB file with {names}. Download it again: {source}",
            path=path,
            names=", ".join(names),
            source=SOURCE,
        ) from None


FLOWERS102 = KnownSet(
    "flowers102", "Flowers102", "a photo of a {}, a type of flower.", CLASSES, 8189, SOURCE, _read
)
