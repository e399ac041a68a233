"""Three views of an image joined: what the text says, what its neighbours' texts say, and which cluster it is in.

Clusters bring most and err most: where no class is as they suppose they are sure and wrong. The geometric mean of the
three keeps an answer of two of them against the third; clusters of n images each count n / (n + the fewest from which
they are sought). It is as sure as the clusters are on the mean.
"""

from __future__ import annotations

from clipgrip.pseudolabel.refine.answers import Refined, RefineInput
from clipgrip.pseudolabel.refine.chunks import chunk_slices, put
from clipgrip.pseudolabel.refine.clusters import clustered
from clipgrip.pseudolabel.refine.discriminant import put_logits, tempered
from clipgrip.pseudolabel.refine.measure import mean_confidence, measure
from clipgrip.pseudolabel.refine.simple import propagated
from clipgrip.types import Logits, Probs

LEAST = 1e-12
"""A view that gives a class less may not rule it out alone."""


def joined(given: RefineInput) -> Refined:
    """Clusters, whatever they cost, joined with the other two views."""
    return join(given, clustered(given).probs, measure(given).images_per_cluster)


def join(given: RefineInput, clusters: Probs, images_per_cluster: float) -> Refined:
    """The geometric mean of the answers, of what flows among neighbours, and of the ``clusters``."""
    # ``clusters`` are taken over: of a million images each view is as large as all that a round needs
    confidence = mean_confidence(given.restricted(clusters, given.candidates))
    weight = images_per_cluster / (images_per_cluster + given.settings.cluster_min_images)
    logits = _views_joined(given, propagated(given).probs, clusters, weight)
    unlabeled = given.restricted(logits, given.candidates)
    return Refined(given.with_unlabeled(tempered(unlabeled, confidence, given.settings)), "joined")


def _log(probs: Probs) -> Logits:
    return probs.float().clamp_min(LEAST).log()


def _views_joined(given: RefineInput, near: Probs, clusters: Probs, weight: float) -> Logits:
    """The mean of the three logs, in the place of ``clusters``."""

    def join_views(rows: slice) -> None:
        views = _log(given.probs[rows]) + _log(near[rows]) + weight * _log(clusters[rows])
        put_logits(clusters, rows, views / (2 + weight))

    put(join_views, chunk_slices(len(clusters)), over=(clusters, near, given.probs))
    return clusters
