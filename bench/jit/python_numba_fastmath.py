# SPDX-License-Identifier: MIT
"""Numba with ``fastmath=True``, for the cases that change by it."""

from __future__ import annotations

import os

os.environ["NUMBA_BENCH_FASTMATH"] = "1"

import python_numba

if __name__ == "__main__":
    python_numba.run()
