# SPDX-License-Identifier: MIT
"""Python numerics as native code: `jit` for whole arrays, `vectorize` per element.

>>> import numpy as np
>>> import lattice as lt
>>> @lt.vectorize
... def payoff(s, k):
...     return s - k if s > k else 0.0
>>> payoff(np.array([90.0, 110.0]), 100.0)
array([ 0., 10.])

A function is recorded once for each kind of arguments (dtypes and ranks), compiled, and then called
natively. What cannot be recorded runs in Python, with a warning that names the line and the reason;
``strict=True`` makes that an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, overload

from lattice._jit.errors import (
    ConcreteValueError,
    SideEffectError,
    TraceError,
    TypeConflictError,
    UnsupportedError,
)

__all__ = [
    "ConcreteValueError",
    "SideEffectError",
    "TraceError",
    "TypeConflictError",
    "UnsupportedError",
    "grad",
    "jit",
    "jvp",
    "value_and_grad",
    "vectorize",
]

_F = TypeVar("_F", bound=Callable[..., Any])


@overload
def jit(function: Callable[..., Any], /) -> Any: ...
@overload
def jit(
    *,
    strict: bool = ...,
    fp: Literal["strict", "contract", "fast"] = ...,
    parallel: bool | None = ...,
    reduce: Literal["numpy", "fast"] = ...,
    static: Sequence[str] = ...,
) -> Callable[[Callable[..., Any]], Any]: ...
def jit(
    function: Callable[..., Any] | None = None,
    /,
    *,
    strict: bool = False,
    fp: str = "strict",
    parallel: bool | None = None,
    reduce: str = "numpy",
    static: Sequence[str] = (),
) -> Any:
    """Compile a function of numbers and arrays, as a whole.

    Parameters
    ----------
    function : function
    strict : bool
        Raise `TraceError` where a call would run in Python.
    fp : {"strict", "contract", "fast"}
        Whether a*b + c may round once ("contract"), and sums may be reordered ("fast").
    parallel : bool or None
        False keeps the kernel on the caller's thread. Otherwise large arrays are shared among
        threads; results are the same bits.
    reduce : {"numpy", "fast"}
        Order of additions: NumPy's, to the bit, or any.
    static : sequence of str
        Arguments that are settings: compared by ``==``, constants in the kernel.

    Returns
    -------
    function
        With ``.compiled``, ``.fallback``, ``.ir()``, ``.asm()``, ``.explain()``, and ``out=``.
        Python numbers as arguments keep Python's semantics: ints of any size, ZeroDivisionError.
    """

    def decorate(target: Callable[..., Any]) -> Any:
        # Here, so that `import lattice` does not load the recorder.
        from lattice._jit.compiler import compile_function

        return compile_function(
            target,
            lanes=False,
            strict=strict,
            fp=fp,
            parallel=parallel,
            reduce=reduce,
            static=tuple(static),
        )

    return decorate if function is None else decorate(function)


@overload
def vectorize(function: Callable[..., Any], /) -> Any: ...
@overload
def vectorize(
    *,
    strict: bool = ...,
    fp: Literal["strict", "contract", "fast"] = ...,
    parallel: bool | None = ...,
    static: Sequence[str] = ...,
) -> Callable[[Callable[..., Any]], Any]: ...
def vectorize(
    function: Callable[..., Any] | None = None,
    /,
    *,
    strict: bool = False,
    fp: str = "strict",
    parallel: bool | None = None,
    static: Sequence[str] = (),
) -> Any:
    """Compile a function of single elements; calls broadcast it over arrays.

    ``if``, ``while``, ``for``, ``break`` and ``return`` decide for each element.

    Parameters
    ----------
    function : function
    strict, fp, parallel, static
        As in `jit`.

    Returns
    -------
    function
        As of `jit`.
    """

    def decorate(target: Callable[..., Any]) -> Any:
        # Here, so that `import lattice` does not load the recorder.
        from lattice._jit.compiler import compile_function

        return compile_function(
            target,
            lanes=True,
            strict=strict,
            fp=fp,
            parallel=parallel,
            reduce="numpy",
            static=tuple(static),
        )

    return decorate if function is None else decorate(function)


def grad(function: Callable[..., Any], /, argnums: int | Sequence[int] = 0) -> Any:
    """The gradient of a function of one number, by reverse mode.

    Parameters
    ----------
    function : function
        Plain, or of `jit` or `vectorize`. It returns one float; of `vectorize`, one for each
        element, and the derivative is element by element.
    argnums : int or sequence of int
        By which arguments; floats, or arrays of floats.

    Returns
    -------
    function
        Of the same arguments; returns the gradient, of the argument's type and shape, or a tuple of
        them for a sequence. It is compiled as functions of `jit` are, and can be called by them.

    Raises
    ------
    TraceError
        At the first call: something has no derivative; names its line.

    Examples
    --------
    >>> lt.grad(lambda x: x * x * x)(2.0)
    12.0
    """
    from lattice._jit import derive

    return derive.grad(function, argnums)


def value_and_grad(function: Callable[..., Any], /, argnums: int | Sequence[int] = 0) -> Any:
    """A function's value and its gradient, computed together.

    Parameters
    ----------
    function, argnums
        As of `grad`.

    Returns
    -------
    function
        Returns ``(value, gradient)``.
    """
    from lattice._jit import derive

    return derive.value_and_grad(function, argnums)


def jvp(
    function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], /
) -> tuple[Any, Any]:
    """A function's value and its directional derivative, by forward mode.

    Parameters
    ----------
    function : function
        Plain, or of `jit` or `vectorize`.
    primals : sequence
        The arguments: floats and arrays of floats.
    tangents : sequence
        A change of each, of its type and shape.

    Returns
    -------
    tuple
        The result, and its change.

    Examples
    --------
    >>> lt.jvp(lambda x: x * x, (3.0,), (1.0,))
    (9.0, 6.0)
    """
    from lattice._jit import derive

    return derive.jvp(function, primals, tangents)
