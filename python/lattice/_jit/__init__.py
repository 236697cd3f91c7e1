# SPDX-License-Identifier: MIT
"""How Python functions become IR: rewriting, hooks, arrays, and the object behind `lt.jit`."""
