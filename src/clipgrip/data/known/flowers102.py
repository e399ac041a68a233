"""Oxford Flowers 102 (Nilsback and Zisserman, ICVGIP 2008)."""

from __future__ import annotations

from pathlib import Path

from clipgrip.data.known.base import KnownSet, Listed, Listing, listed, needed

SOURCE = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/ (102flowers.tgz, imagelabels.mat, setid.mat)"
CLASSES = listed(
    """
    pink primrose; hard-leaved pocket orchid; canterbury bells; sweet pea; english marigold; tiger lily; moon
    orchid; bird of paradise; monkshood; globe thistle; snapdragon; colt's foot; king protea; spear thistle;
    yellow iris; globe-flower; purple coneflower; peruvian lily; balloon flower; giant white arum lily; fire
    lily; pincushion flower; fritillary; red ginger; grape hyacinth; corn poppy; prince of wales feathers;
    stemless gentian; artichoke; sweet william; carnation; garden phlox; love in the mist; mexican aster; alpine
    sea holly; ruby-lipped cattleya; cape flower; great masterwort; siam tulip; lenten rose; barbeton daisy;
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
    from scipy.io import loadmat

    labels = loadmat(needed(folder, "imagelabels.mat", source=SOURCE))["labels"].ravel()
    ids = loadmat(needed(folder, "setid.mat", source=SOURCE))
    test = {int(i) for i in ids["tstid"].ravel()}
    used = sorted(test | {int(i) for part in ("trnid", "valid") for i in ids[part].ravel()})
    files: list[Listed] = [
        (f"image_{i:05d}.jpg", CLASSES[int(labels[i - 1]) - 1], "test" if i in test else "pool")
        for i in used
    ]
    return Listing(needed(folder, "jpg", source=SOURCE), tuple(files))


FLOWERS102 = KnownSet(
    "flowers102", "Flowers102", "a photo of a {}, a type of flower.", CLASSES, 8189, SOURCE, _read
)
