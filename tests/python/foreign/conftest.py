# SPDX-License-Identifier: MIT
"""Every test's effects end with it; otherwise each later session would start them as well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lattice import _core


@pytest.fixture(autouse=True)
def _effects_end_with_the_test() -> Iterator[None]:
    yield
    _core.dispose_module_effects()
