"""Channels: statistics of one block's channels on test and OOD images (see `blockwise`)."""

from penumbra.stages.blockwise import run
from penumbra.stages.common import main

if __name__ == "__main__":
    main(run)
