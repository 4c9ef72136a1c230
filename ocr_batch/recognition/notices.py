"""Hold back what native libraries write to standard error though all is well."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_notices"]

#: LiteRT's and TensorFlow's notices: delegates, CPU features, missing GPUs, what is quantised.
_NOTICE = re.compile(
    rb"INFO:|E\d{4} .*failed call to cuInit|[IW]\d{4} [\d:.]|\d{4}-\d\d-\d\d [\d:.]+: [IW] |"
    rb"WARNING: All log messages before|To enable the following instructions|fully_quantize:"
)


@contextmanager
def without_notices() -> Iterator[None]:
    """Hold back notices on file descriptor 2 while something runs; pass all else on afterwards.

    The libraries have no setting for them that works, and a run with many workers would say them
    once for each.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    with tempfile.TemporaryFile() as said:
        try:
            os.dup2(said.fileno(), 2)
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            for line in said:
                if not _NOTICE.match(line):
                    os.write(2, line)
