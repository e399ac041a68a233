"""Three views of an image, multiplied: the text's answer, its neighbours' answers (propagation), and the clusters'.

Clusters gain most and err most: where the classes do not form clusters they are confident and wrong. In the weighted
geometric mean two views overrule the third. The clusters' weight is n / (n + ``cluster_min_images``) for n images per
cluster, the others' is 1. The mean confidence is set to that of the clusters.
"""

from __future__ import annotations

from clipgrip.pseudolabel.refine.answers import Refined, RefineInput
from clipgrip.pseudolabel.refine.chunks import chunk_slices, put
from clipgrip.pseudolabel.refine.clusters import clustered
from clipgrip.pseudolabel.refine.discriminant import put_logits, tempered
from clipgrip.pseudolabel.refine.measure import mean_confidence, measure
from clipgrip.pseudolabel.refine.simple import propagated
from clipgrip.types import Logits, Probs

MIN_PROB = 1e-12
"""Lower bound of a view's probability, so that no view can rule out a class alone."""


def joined(given: RefineInput) -> Refined:
    """Clusters joined with the other two views, without asking whether they split up a class (`auto` does)."""
    return join(given, clustered(given).probs, measure(given).images_per_cluster)


def join(given: RefineInput, clusters: Probs, images_per_cluster: float) -> Refined:
    """The answers, their propagation and ``clusters`` (N, C) joined. Overwrites ``clusters`` to save memory."""
    confidence = mean_confidence(given.restricted(clusters, given.candidates))
    weight = images_per_cluster / (images_per_cluster + given.settings.cluster_min_images)
    logits = _views_joined(given, propagated(given).probs, clusters, weight)
    unlabeled = given.restricted(logits, given.candidates)
    return Refined(given.with_unlabeled(tempered(unlabeled, confidence, given.settings)), "joined")


def _log(probs: Probs) -> Logits:
    return probs.float().clamp_min(MIN_PROB).log()


def _views_joined(given: RefineInput, near: Probs, clusters: Probs, weight: float) -> Logits:
    """The weighted mean of the three logs, written over ``clusters``."""

    def join_views(rows: slice) -> None:
        views = _log(given.probs[rows]) + _log(near[rows]) + weight * _log(clusters[rows])
        put_logits(clusters, rows, views / (2 + weight))

    put(join_views, chunk_slices(len(clusters)), over=(clusters, near, given.probs))
    return clusters
