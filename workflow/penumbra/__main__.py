"""`python -m penumbra` is the command `penumbra`."""

import sys

from penumbra.cli import main

if __name__ == "__main__":
    sys.exit(main())
