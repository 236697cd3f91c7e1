# SPDX-License-Identifier: MIT
"""Starts the counter program, reads its page and stops it: check.py PROGRAM"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request


def expect(condition: object, claim: str) -> None:
    if not condition:
        sys.exit(f"FAILED: {claim}")


def main() -> None:
    with subprocess.Popen(
        [sys.argv[1], "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            assert program.stdout is not None
            line = program.stdout.readline()
            found = re.search(r"http://\S+", line)
            expect(found, f"the program prints its URL, not {line!r}")
            assert found is not None
            with urllib.request.urlopen(found[0], timeout=10) as answer:
                html = answer.read().decode()
            expect("<title>Counter</title>" in html, "the title is the program's")
            expect("<h1>Count: 0</h1>" in html, "the bound count is in the first paint")
            expect("<p>Doubled: <!---->0</p>" in html, "so is the memo")
            rows = re.findall(r"<li>(\w+)", html)
            expect(rows == ["pears", "apples", "milk"], f"the list is there, in order: {rows}")
            script = re.search(r'src="(/_lattice/client-[^"]+\.js)"', html)
            expect(script, "the page loads the browser runtime")
            assert script is not None
            with urllib.request.urlopen(found[0].rstrip("/") + script[1], timeout=10) as answer:
                expect(len(answer.read()) > 1000, "the browser runtime is compiled in")
        finally:
            program.send_signal(signal.SIGTERM)
        expect(program.wait(timeout=10) == 0, "SIGTERM ends it with exit code 0")
    print("the counter serves its page")


if __name__ == "__main__":
    main()
