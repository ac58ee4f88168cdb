"""`python -m zooop_nb.sandbox`: the same as `python -m zooop_nb sandbox`."""

import sys

from zooop_nb.sandbox.command import main

if __name__ == "__main__":
    sys.exit(main())
