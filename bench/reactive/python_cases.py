# SPDX-License-Identifier: MIT
"""The cases of python/ for any library of signals, in our words: `.value` reads and writes.

A program makes a subclass that says how its library makes signals, memos and effects; those are
called while a graph is built, and not by what is timed. Where the library reads and writes in
other words, the program translates this file (``python_reaktiv.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from python_measure import LOOPS, check, say, time_iterations, time_statement

Case = Callable[[str], None]
Watching = Callable[[Any], Callable[[], None]]


class Cases:
    """What a library does; the methods named like a case run it."""

    # What makes a signal and a memo, for the cases that time it. A function is a staticmethod.
    make_signal: Any
    make_memo: Any
    # How often the statements of longer cases run, and those that make nodes.
    loops_of_updates = LOOPS // 10
    loops_of_creations = LOOPS // 10

    def memo(self, function: Callable[[], Any], source: Any) -> Any:
        """A memo; `source` is all that the function reads, for libraries that must be told."""
        return self.make_memo(function)

    def effect(self, function: Callable[[], object], source: Any) -> Any:
        raise NotImplementedError

    def reading(self, name: str) -> str:
        """The statement that reads the node of this name."""
        return f"{name}.value"

    def writing(self, signal: Any) -> tuple[str, dict[str, Any]]:
        """The statement that writes i, and the names in it."""
        return "s.value = i", {"s": signal}

    def table(self) -> dict[str, Case]:
        return {
            "python/read": self.read,
            "python/memo read": self.memo_read,
            "python/set": self.write,
            "python/set, memo, read": self.set_memo_read,
            "python/set, memo, effect": self.set_memo_effect,
            "python/kairo deep": self.deep,
            "python/kairo broad": self.broad,
            "python/create signal": self.create_signal,
            "python/create memo": self.create_memo,
        }

    def read(self, case: str) -> None:
        say(case, time_statement(self.reading("s"), {"s": self.make_signal(12345)}))

    def memo_read(self, case: str) -> None:
        signal = self.make_signal(12345)
        memo = self.memo(lambda: signal.value * 2, signal)
        check(memo.value == 24690, case)
        say(case, time_statement(self.reading("m"), {"m": memo}))

    def write(self, case: str) -> None:
        signal = self.make_signal(0)
        say(case, time_statement(*self.writing(signal)))
        check(signal.value == LOOPS - 1, case)

    def set_memo_read(self, case: str) -> None:
        signal = self.make_signal(0)
        memo = self.memo(lambda: signal.value * 2, signal)
        put, names = self.writing(signal)
        both = f"{put}; {self.reading('m')}"
        ns = time_statement(both, {**names, "m": memo}, loops=self.loops_of_updates)
        check(memo.value == (self.loops_of_updates - 1) * 2, case)
        say(case, ns, same=self.recomputed())

    def set_memo_effect(self, case: str) -> None:
        signal = self.make_signal(0)
        memo = self.memo(lambda: signal.value * 2, signal)
        effect = self.effect(lambda: memo.value, memo)
        ns = time_statement(*self.writing(signal), loops=self.loops_of_updates)
        check(memo.value == (self.loops_of_updates - 1) * 2, case)
        effect.dispose()
        say(case, ns, same=self.recomputed())

    def recomputed(self) -> dict[str, float]:
        """Runs of the memo and of the effect per write, counted apart so that it costs no time."""
        runs = {"recomputed": 0, "effects": 0}
        signal = self.make_signal(0)

        def double() -> Any:
            runs["recomputed"] += 1
            return signal.value * 2

        def watch() -> None:
            runs["effects"] += 1
            memo.value  # noqa: B018

        memo = self.memo(double, signal)
        effect = self.effect(watch, memo)
        runs.update(recomputed=0, effects=0)
        for i in range(1, 101):
            signal.value = i
        effect.dispose()
        return {key: count / 100 for key, count in runs.items()}

    def deep(self, case: str) -> None:
        """kairo deep: a chain of 50 memos with an effect at its end."""

        def build(head: Any, watching: Watching) -> tuple[Any, list[Any]]:
            current = head
            for _ in range(50):
                current = self.memo(lambda before=current: before.value + 1, current)
            return current, [self.effect(watching(current), current)]

        self.kairo(case, build)

    def broad(self, case: str) -> None:
        """kairo broad: 50 chains of two memos and an effect on one signal."""

        def build(head: Any, watching: Watching) -> tuple[Any, list[Any]]:
            effects = []
            for i in range(50):
                current = self.memo(lambda i=i: head.value + i, head)
                last = self.memo(lambda current=current: current.value + 1, current)
                effects.append(self.effect(watching(last), last))
            return last, effects

        self.kairo(case, build)

    def kairo(self, case: str, build: Callable[[Any, Watching], tuple[Any, list[Any]]]) -> None:
        """Times 51 writes to the head of a graph whose last memo is then 50 more than it."""
        head = self.make_signal(0)
        count = 0

        def watching(node: Any) -> Callable[[], None]:
            def watch() -> None:
                nonlocal count
                node.value  # noqa: B018
                count += 1

            return watch

        last, effects = build(head, watching)

        def iterate() -> None:
            nonlocal count
            head.value = 1
            count = 0
            for i in range(50):
                head.value = i
                check(last.value == i + 50, case)
            check(count == 50 * len(effects), case)

        say(case, time_iterations(iterate, 51), same={"effects": count})
        for effect in effects:
            effect.dispose()

    def create_signal(self, case: str) -> None:
        names = {"make": self.make_signal}
        say(case, time_statement("make(i)", names, loops=self.loops_of_creations))

    def create_memo(self, case: str) -> None:
        names = {"make": self.make_memo}
        say(case, time_statement("make(lambda: i)", names, loops=self.loops_of_creations))
