"""python -m clipgrip."""

import contextlib
import os
import sys

with contextlib.suppress(OSError):  # the current folder was deleted
    if not sys.flags.safe_path and sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]  # else files of the current folder could shadow modules

from clipgrip.cli.main import main

main()
