# SPDX-License-Identifier: MIT
"""The smallest app: lattice run examples/counter.py"""

import lattice as lt
from lattice import ui


@lt.component
def counter():
    count = lt.signal(0)  # lives as long as this page
    doubled = lt.memo(lambda: count.value * 2)
    return ui.main(
        ui.h1("Count: ", count),  # a signal as a child: this text alone is updated
        ui.p("Doubled: ", doubled),
        ui.button("−1", on_click=lambda: count.update(lambda n: n - 1)),
        ui.button("+1", on_click=lambda: count.update(lambda n: n + 1)),
    )
