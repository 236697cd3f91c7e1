# SPDX-License-Identifier: MIT
"""The pure diff of two trees as patches: what changed, addressed by path.

``apply(old, diff(old, new)) == new``. The live page does not work with these (it addresses nodes by
id); they are for tests, tools and other renderers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from lattice import _core

VNode = _core.VNode

__all__ = ["Patch", "PatchType", "apply", "diff"]


class PatchType(Enum):
    """What a patch does."""

    CREATE = "CREATE"
    REMOVE = "REMOVE"
    REPLACE = "REPLACE"
    UPDATE = "UPDATE"
    TEXT = "TEXT"
    REORDER = "REORDER"


@dataclass(frozen=True, slots=True)
class Patch:
    """One step from an old tree to a new one.

    Patches apply one after the other: a path holds in the tree as the patches before it left it.
    Paths count the children that show: lists are opened up, None and False are left out, a fragment
    is one child. Of one parent, removals come first (from the back), then at most one reorder, then
    creations (from the front), then the children's own patches.

    Attributes
    ----------
    type : PatchType
    path : tuple of int
        Child indices from the root, ``()`` for the root itself. For CREATE, where the new child
        will be.
    data
        What the type needs:

        - ``CREATE``: the new child, a `VNode`, text, number, signal or callable;
        - ``REMOVE``: None;
        - ``REPLACE``: the child that takes the place;
        - ``UPDATE``: ``{"set": {name: value}, "remove": [name]}``, attributes under their
          normalised names (``class``, ``style.color``, ``on_click``);
        - ``TEXT``: the new text (a number stays a number);
        - ``REORDER``: ``[(index, before), ...]``, the fewest moves possible: each takes the child
          at `index` and puts it in front of the child at `before`, or at the end when that is None.
          Both are positions before the whole reorder, so one move does not shift the next.
    """

    type: PatchType
    path: tuple[int, ...]
    data: Any = None


def diff(old: Any, new: Any) -> list[Patch]:
    """The patches that turn one tree into another.

    Parameters
    ----------
    old, new : VNode
        Children with a key pair up by key and element, others in order by element. Signals and
        callables are equal only when they are the same object.

    Returns
    -------
    list of Patch
        Empty when the trees are equal.

    Raises
    ------
    LatticeError
        If a key occurs twice among the children of one parent, or a tree is deeper than 512 levels.
    TypeError
        If a tree holds something that is no child.
    """
    return [Patch(PatchType(kind), path, data) for kind, path, data in _core.diff_trees(old, new)]


def apply(tree: Any, patches: Iterable[Patch]) -> Any:
    """The tree after the patches; `tree` itself stays as it is.

    Parameters
    ----------
    tree : VNode
    patches : iterable of Patch

    Raises
    ------
    LatticeError
        If a patch does not fit the tree.
    """
    return _core.apply_patches(tree, [(p.type.value, p.path, p.data) for p in patches])
