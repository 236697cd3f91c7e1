# SPDX-License-Identifier: MIT
"""Every test's effects end with it; otherwise each later session would start them as well.

A test may be a coroutine function: it runs on a loop of its own, and fails when asyncio complains
about what it leaves behind (a pending task, an exception that nobody retrieved).
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from lattice import _core


@pytest.fixture(autouse=True)
def _effects_end_with_the_test() -> Iterator[None]:
    yield
    _core.dispose_module_effects()


@pytest.fixture
def sessions() -> Iterator[list[_core.SessionState]]:
    """Two sessions of one app."""
    pair = [_core.SessionState(), _core.SessionState()]
    yield pair
    for session in pair:
        session.dispose()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    run_clean(pyfuncitem.obj, {name: pyfuncitem.funcargs[name] for name in names})
    return True


def run_clean(function: Any, arguments: dict[str, Any]) -> None:
    complaints: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(str(context["message"])))
        await function(**arguments)

    hook, sys.unraisablehook = sys.unraisablehook, lambda raised: complaints.append(str(raised))
    try:
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            asyncio.run(main())
            gc.collect()
    finally:
        sys.unraisablehook = hook
    complaints += [str(one.message) for one in noted if one.category is RuntimeWarning]
    assert complaints == []
