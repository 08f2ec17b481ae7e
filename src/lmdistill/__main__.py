"""python -m lmdistill."""

from lmdistill.cli.main import main

main()
