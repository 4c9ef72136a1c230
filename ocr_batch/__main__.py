"""Run the command line: python -m ocr_batch."""

import sys

from ocr_batch.cli import main

if __name__ == "__main__":
    sys.exit(main())
