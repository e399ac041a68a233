"""How a worker makes an eye that this process has: the same files are read there, once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clipgrip.backbone.base import Eye
from clipgrip.errors import BackboneError

MOST_EYES = 4
"""Eyes that a worker keeps."""
_eyes: OrderedDict[str, Eye] = OrderedDict()


@dataclass(frozen=True)
class EyeRecipe:
    """A few hundred bytes in the place of a model's weights."""

    key: str
    """The eye's ``image_key``."""
    make: Callable[..., Eye]
    args: tuple[Any, ...]

    def eye(self) -> Eye:
        """The eye, made when it is first asked for in this process.

        BackboneError: the files are not here, or are another model's.
        """
        if self.key not in _eyes:
            _eyes[self.key] = self.make(*self.args)
        _eyes.move_to_end(self.key)
        while len(_eyes) > MOST_EYES:
            _eyes.popitem(last=False)
        return _eyes[self.key]


def recipe_of(eye: Eye) -> EyeRecipe:
    """Its own, by its method ``recipe``; of an eye without one the eye itself travels with each part."""
    own: Callable[[], EyeRecipe] | None = getattr(eye, "recipe", None)
    return EyeRecipe(eye.image_key, _itself, (eye,)) if own is None else own()


def check_same(eye: Eye, fingerprint: str) -> None:
    """BackboneError where a model that is read again is another one."""
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
