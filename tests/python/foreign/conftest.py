# SPDX-License-Identifier: MIT
"""Every test's effects end with it; otherwise each later session would start them as well.

A test may be a coroutine function: it runs on a loop of its own, where its effects end too.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from lattice import _core


@pytest.fixture(autouse=True)
def _effects_end_with_the_test() -> Iterator[None]:
    yield
    _core.dispose_module_effects()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(_run(pyfuncitem.obj, {name: pyfuncitem.funcargs[name] for name in names}))
    return True


async def _run(test: Any, fixtures: dict[str, Any]) -> None:
    try:
        await test(**fixtures)
    finally:
        _core.dispose_module_effects()
        await asyncio.sleep(0)
