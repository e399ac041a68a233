"""From the bytes of a file to an upright RGB picture, or the reason why not: the same at the line."""

from __future__ import annotations

from clipgrip_line.pictures.formats import HEAD_BYTES as HEAD_BYTES
from clipgrip_line.pictures.images import READING as READING
from clipgrip_line.pictures.images import check_signature as check_signature
from clipgrip_line.pictures.images import decode as decode
from clipgrip_line.pictures.images import may_be_image as may_be_image
from clipgrip_line.pictures.images import quick_check as quick_check
from clipgrip_line.pictures.images import shown_of as shown_of
from clipgrip_line.pictures.images import upright_size as upright_size
from clipgrip_line.pictures.unusable import UndecodableImage as UndecodableImage
