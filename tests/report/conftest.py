"""The runs that reports are made of here."""

from __future__ import annotations

import pytest
from report_facts import MakeFacts, build_facts


@pytest.fixture
def make_facts() -> MakeFacts:
    """Facts by keyword; see ``build_facts``."""
    return build_facts
