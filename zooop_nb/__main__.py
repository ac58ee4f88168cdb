"""`python -m zooop_nb`: the same as the command `zooop-nb`."""

import sys

from zooop_nb.cli import main

if __name__ == "__main__":
    sys.exit(main())
