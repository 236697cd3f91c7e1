# SPDX-License-Identifier: MIT
"""`python -m lattice` is the `lattice` command."""

from __future__ import annotations

from lattice.cli import main

if __name__ == "__main__":
    main()
