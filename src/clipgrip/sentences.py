"""Sentences that know what they were made of: the same at the line, where they are defined."""

from __future__ import annotations

from clipgrip_line.sentences import Sentence as Sentence
from clipgrip_line.sentences import both_forms as both_forms
from clipgrip_line.sentences import combined as combined
from clipgrip_line.sentences import mark as mark
from clipgrip_line.sentences import quoted as quoted
from clipgrip_line.sentences import shortlist as shortlist
