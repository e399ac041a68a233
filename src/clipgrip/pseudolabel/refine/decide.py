"""Which refinements to try, in which order, and when to accept one: numbers in, a decision out, no tensor.

Cluster if there are images enough per class; else balance the classes if the answers hardly resist; else keep
zero-shot's answers. Clusters that would split up a dominant class are tried again with a stronger text, then given up.
"""

from __future__ import annotations

from dataclasses import dataclass

from clipgrip.pseudolabel.refine import reasons
from clipgrip.pseudolabel.refine.evidence import Evidence, Trial
from clipgrip.pseudolabel.refine.settings import Refinement


@dataclass(frozen=True)
class Attempt:
    """A refinement to try, why it is the one if it is accepted, and what it may cost at most."""

    method: str
    reason: str | None
    text_factor: float = 1.0
    """Factor on the text's weight λ in clusters."""
    max_loss: float | None = None
    """Share of the images that one class may lose; None: whatever it loses."""
    max_cut: float | None = None
    """Share of the graph's links that it may cut."""


def ladder(evidence: Evidence, settings: Refinement) -> tuple[Attempt, ...]:
    """What to try, in order; the last is always accepted."""
    if evidence.some_absent:
        present = evidence.n_present or 0
        enough = present > 1 and (
            evidence.n_unlabeled / present >= settings.cluster_min_images_present
        )
        return _clusters(evidence, settings) if enough else (Attempt("zero-shot", None),)
    if evidence.images_per_class >= _cluster_min_images(evidence, settings):
        return _clusters(evidence, settings)
    balance = evidence.images_per_class >= settings.balance_min_images
    if balance and is_even(evidence, settings.balance_max_resistance, settings):
        return (Attempt("balance", reasons.LITTLE_RESISTANCE),)
    if is_even(evidence, settings.half_balance_max_resistance, settings):
        return (Attempt("half-balance", reasons.NEARLY_EQUAL),)
    return (Attempt("zero-shot", reasons.UNEQUAL),)


def _clusters(evidence: Evidence, settings: Refinement) -> tuple[Attempt, ...]:
    """Plain clusters, clusters with a strong text, zero-shot; prototypes know too little for a guard."""
    if evidence.prototypes:
        return (Attempt("clusters", reasons.PROTOTYPES),)
    loss, cut = allowed_loss(evidence.n_classes, settings), settings.max_cut_links
    plain = Attempt("clusters", reasons.NONE_LOSES, max_loss=loss)
    strong = Attempt("clusters", reasons.STRONG_TEXT, settings.strong_text_weight, loss, cut)
    keep = Attempt("zero-shot", reasons.WOULD_DIVIDE)
    return (strong, keep) if evidence.strong_text else (plain, strong, keep)


def accept(attempt: Attempt, trial: Trial) -> bool:
    """Whether an attempt cost no more than it may: no class lost too much, nor was it cut through its middle."""
    loss_fits = attempt.max_loss is None or trial.lost_share <= attempt.max_loss
    cut_fits = attempt.max_cut is None or (trial.cut_links or 0.0) <= attempt.max_cut
    return loss_fits and cut_fits


def allowed_loss(n_classes: int, settings: Refinement) -> float:
    """Share of the images that one class may lose."""
    share = n_classes / settings.allowed_loss_classes
    return min(max(share, settings.min_allowed_loss), settings.max_allowed_loss)


def has_gone_astray(lost_before: float | None, n_classes: int, settings: Refinement) -> bool:
    """Whether a tuned prompt has taken so much from a class that zero-shot's answers are refined instead."""
    return lost_before is not None and lost_before > allowed_loss(n_classes, settings)


def is_even(evidence: Evidence, max_resistance: float, settings: Refinement) -> bool:
    """Whether the classes seem about equally frequent, none of them dominant or missing; False for too few images."""
    if evidence.resistance is None or evidence.max_log_factor is None:
        return False
    near = evidence.max_log_factor <= settings.dominant_log_factor
    return near and evidence.resistance <= max_resistance


def absence_is_clear(evidence: Evidence, settings: Refinement) -> bool:
    """Whether the answers resist equal shares so much that classes must be absent.

    An unsure text resists by its own faults as well; with images enough for clusters these mend it.
    """
    if evidence.resistance is None or evidence.resistance <= settings.absent_resistance:
        return False
    sure = not evidence.prototypes and evidence.standard_confidence >= settings.sure_confidence
    few = (
        settings.cluster_min_images_even_unsure
        if evidence.prototypes
        else settings.cluster_min_images
    )
    certain = evidence.resistance > settings.absent_resistance_unsure
    return sure or certain or evidence.images_per_class < few


def _cluster_min_images(evidence: Evidence, settings: Refinement) -> float:
    """Images per class from which clusters are used: the less the classes say, the fewer."""
    if evidence.prototypes:
        return settings.cluster_min_images_prototypes
    if not is_even(evidence, settings.balance_max_resistance, settings):
        return settings.cluster_min_images
    if evidence.confidence >= settings.sure_confidence:
        return settings.cluster_min_images_even
    return settings.cluster_min_images_even_unsure
