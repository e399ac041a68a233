"""Files that appear whole or not at all, and paths that open on every system: the same at the line."""

from __future__ import annotations

from clipgrip_line.files import ADVICE as ADVICE
from clipgrip_line.files import CHECK as CHECK
from clipgrip_line.files import CLOSED as CLOSED
from clipgrip_line.files import FAILING as FAILING
from clipgrip_line.files import FULL as FULL
from clipgrip_line.files import PART as PART
from clipgrip_line.files import REFUSALS as REFUSALS
from clipgrip_line.files import AnyPath as AnyPath
from clipgrip_line.files import from_home as from_home
from clipgrip_line.files import is_full as is_full
from clipgrip_line.files import naming as naming
from clipgrip_line.files import open_file as open_file
from clipgrip_line.files import openable as openable
from clipgrip_line.files import part_name as part_name
from clipgrip_line.files import read_file as read_file
from clipgrip_line.files import sweep as sweep
from clipgrip_line.files import system_sentence as system_sentence
from clipgrip_line.files import system_words as system_words
from clipgrip_line.files import utf8 as utf8
from clipgrip_line.files import utf8_bytes as utf8_bytes
from clipgrip_line.files import write_bytes_atomic as write_bytes_atomic
from clipgrip_line.files import write_bytes_once as write_bytes_once
from clipgrip_line.files import write_text_atomic as write_text_atomic
from clipgrip_line.places import hindrance as hindrance
