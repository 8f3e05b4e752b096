"""Tests of everything, in the same folders as what they test."""

import os

# One thread for every library of matrices, also in the processes that tests start: the matrices are
# small here, and a thread that waits for others meanwhile takes a whole core from other tests.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
