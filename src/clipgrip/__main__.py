"""python -m clipgrip."""

import contextlib
import os
import sys

with contextlib.suppress(OSError):  # it was taken away
    if not sys.flags.safe_path and sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]  # files of the current folder are never imported in the place of modules

from clipgrip.cli.main import main

main()
