"""python -m clipgrip_line."""

import sys

from clipgrip_line.cli import main

sys.exit(main())
