"""A first Lattice app. Serve it with: lattice run app.py --reload"""

import lattice as lt
from lattice import ui


@lt.component
def main():
    name = lt.signal("world")
    clicks = lt.signal(0)
    return ui.main(
        ui.h1("Hello, ", name, "!"),
        ui.label("Your name: ", ui.input(value=name)),
        ui.p("Clicked ", clicks, " times"),
        ui.button("Click", on_click=lambda: clicks.update(lambda n: n + 1)),
    )
