"""The errors a user can meet. Each says what is wrong, where, what is allowed and what to do."""

from __future__ import annotations

from clipgrip_line.errors import BackboneError as BackboneError
from clipgrip_line.errors import ClipgripError as ClipgripError
from clipgrip_line.errors import DataError as DataError
from clipgrip_line.errors import among as among
from clipgrip_line.errors import nearest as nearest


class ConfigError(ClipgripError):
    """A setting is unknown, of the wrong type or out of its range."""


class PromptError(ClipgripError):
    """A prompt checkpoint does not fit, or a text is too long for the model."""


class RunError(ClipgripError):
    """A run cannot be opened, resumed or read."""

    http_status = 409


class CacheError(ClipgripError):
    """A cached array is damaged or cannot be written."""

    http_status = 500


class MissingPackage(ClipgripError):
    """An optional package is needed for what was asked."""
