"""python -m clipgrip."""

from clipgrip.cli.main import main

main()
