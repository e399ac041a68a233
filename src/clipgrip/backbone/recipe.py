"""What a worker gets in the place of an eye: how to read the same model from its files."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clipgrip.backbone.base import Eye
from clipgrip.errors import BackboneError

MOST_EYES = 4
"""The most eyes that a worker keeps loaded."""
_eyes: OrderedDict[str, Eye] = OrderedDict()


@dataclass(frozen=True)
class EyeRecipe:
    """A picklable description of an eye: a few hundred bytes in the place of its weights."""

    key: str
    """The eye's ``image_key``."""
    make: Callable[..., Eye]
    args: tuple[Any, ...]

    def eye(self) -> Eye:
        """The eye, loaded on first use in this process.

        BackboneError: the files are missing, or belong to another model.
        """
        if self.key not in _eyes:
            _eyes[self.key] = self.make(*self.args)
        _eyes.move_to_end(self.key)
        while len(_eyes) > MOST_EYES:
            _eyes.popitem(last=False)
        return _eyes[self.key]


def recipe_for(eye: Eye) -> EyeRecipe:
    """The eye's own ``recipe()``; an eye without that method is pickled itself."""
    own: Callable[[], EyeRecipe] | None = getattr(eye, "recipe", None)
    return EyeRecipe(eye.image_key, _itself, (eye,)) if own is None else own()


def check_same(eye: Eye, fingerprint: str) -> None:
    """BackboneError where the model that a worker has read is another one."""
    if eye.fingerprint != fingerprint:
        raise BackboneError(
            'the model "{name}" of a worker has fingerprint {found}, not {fingerprint}: its files changed, or are '
            "others on another machine. Bring the same model to every machine.",
            name=eye.name,
            found=eye.fingerprint[:12],
            fingerprint=fingerprint[:12],
        )


def _itself(eye: Eye) -> Eye:
    return eye
