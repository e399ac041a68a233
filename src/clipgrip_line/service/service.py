"""Everything that one running service holds, put together and taken down in one place."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipgrip_line.folder.mqtt import Broker
from clipgrip_line.monitoring.gallery import Gallery
from clipgrip_line.monitoring.promises import earlier
from clipgrip_line.monitoring.watching import Watching
from clipgrip_line.service.admission import Admission
from clipgrip_line.service.bell import Bell, revive
from clipgrip_line.service.engine import Engine
from clipgrip_line.service.keeping import Keeping, latest
from clipgrip_line.service.ledger import Ledger
from clipgrip_line.service.limits import Limits
from clipgrip_line.service.live import Answering
from clipgrip_line.service.looking import Looking
from clipgrip_line.service.observers import RECENT, Observers
from clipgrip_line.service.pictures import Thumbs, stored
from clipgrip_line.service.predicting import Predicting
from clipgrip_line.service.sampling import Sampling
from clipgrip_line.service.shadowing import Shadow
from clipgrip_line.service.shifts import Shifts
from clipgrip_line.service.switching import Load, Switching
from clipgrip_line.service.tallies import Counters
from clipgrip_line.service.versions import Change, changes, path_of
from clipgrip_line.trust import reference
from clipgrip_line.web.address import Access
from clipgrip_line.words import Language


@dataclass(frozen=True)
class ServiceSettings:
    """What was asked for on the command line."""

    state: Path
    access: Access
    tokens: Sequence[str] = field(default=(), repr=False)
    limits: Limits = field(default_factory=Limits)
    shifts: Shifts = field(default_factory=Shifts)
    audit_every: int = 200
    alpha: float = 0.01
    """The probability that the watch of a line ever rings while nothing has changed."""
    name: str = ""
    """What the page calls the line."""
    broker: Broker | None = None
    """Where stations are driven by MQTT."""
    authority: str | None = None
    """File of certificates of the broker's authority."""
    webhook: str = ""
    """Where alarms are posted."""
    resend: bool = False
    """Whether messages that were refused for good are posted again."""
    keep: int = 0
    """Bytes of pictures kept for the next round."""
    keep_share: float = 0.05
    """The share of all images that are kept as doubtful, and as many at random."""
    language: Language | None = None
    """Of the pages, until a reader chooses another; None: as each browser asks."""


class Service:
    """A line at work. `start` begins its threads, `stop` ends them when all that was taken is answered."""

    def __init__(
        self,
        settings: ServiceSettings,
        model: Answering,
        load: Load,
        shadow: Answering | None = None,
    ) -> None:
        self.settings, limits = settings, settings.limits
        self.begun = time.time()
        self.ledger = Ledger(settings.state)
        self.admission = Admission(limits.queue, limits.waiting)
        self.observers, self.counters = Observers(Gallery(limits.gallery)), Counters()
        self.watching = Watching(self.ledger, settings.alpha, self.observers.gallery)
        self.looking = Looking(self.watching, self.admission.is_calm)
        self.observers.listeners.append(self.counters.stored)
        self.switching = Switching(self.ledger, settings.state, model, load, began=self._began)
        self.engine = Engine(limits, self.admission, self.looking.scored)
        self.keeping = Keeping(limits, settings.shifts, self.watching.decided, settings.audit_every)
        workers = max(2, min(8, (os.cpu_count() or 2)))
        self.predicting = Predicting(
            self.engine, self.ledger, self.keeping, self.observers, workers
        )
        self.shadow = Shadow(self.ledger, shadow) if shadow is not None else None
        if self.shadow is not None:
            self.observers.listeners.append(self.shadow.stored)
        self.sampling = (
            Sampling(settings.state, settings.keep, settings.keep_share) if settings.keep else None
        )
        if self.sampling is not None:
            self.observers.listeners.append(self.sampling.stored)
        self.bell = Bell(self.ledger, settings.webhook) if settings.webhook else None
        self.stations: Any = None
        self.lines: Any = None
        """The stations' client of a broker, where one is given."""
        self.thumbs = Thumbs()
        self.ready = False

    def changes(self) -> list[Change]:
        """Every change of the version that answers."""
        return changes(self.ledger.reader)

    @property
    def model(self) -> Answering:
        """The version that answers now."""
        return self.switching.model

    def picture(self, image: str) -> bytes | None:
        """An image as JPEG for the page; None where it is not kept (any more)."""
        gallery, db = self.observers.gallery, self.ledger.reader
        return self.thumbs.of(image, lambda: gallery.get(image) or stored(db, image))

    def start(self) -> None:
        """Threads begin; the service is ready."""
        state = self.settings.state
        self.observers.recent.extend(latest(self.ledger.reader, RECENT))
        self.watching.remember(earlier(self.ledger.reader, lambda one: path_of(state, one)))
        self._began(self.model)
        self.engine.start()
        self.switching.start()
        self.looking.start()
        if self.shadow is not None:
            self.shadow.start()
        if self.sampling is not None:
            self.sampling.start()
        if self.bell is not None:
            if self.settings.resend:
                revive(self.ledger)
            self.bell.start()
        self.ready = True

    def _began(self, model: Answering) -> None:
        """The watch follows the version, from the reference that its bundle carries."""
        place = path_of(self.settings.state, model.version)
        self.watching.follow(
            model, reference.read(place, len(model.classes)) if place.is_file() else None
        )

    def stop(self) -> None:
        """Answers what waits, then ends."""
        self.ready = False
        self.switching.stop()
        self.looking.stop()
        self.engine.stop()
        for thread in (self.switching, self.looking, self.engine):
            thread.join()
        for beside in (self.shadow, self.bell):
            if beside is not None:
                beside.stop()
                beside.join()
        if self.sampling is not None:
            self.sampling.stop()
        self.predicting.pool.shutdown()
        self.ledger.close()
