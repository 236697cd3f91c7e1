// SPDX-License-Identifier: MIT
// A page without Python: counter --port 8000
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "lattice/app.hpp"

using namespace lattice;

namespace {

struct Item {
  int id = 0;
  std::string name;
  bool operator==(const Item&) const = default;
};
using Items = std::vector<Item>;

// Shows how keyed rows keep their identity: each counts its own clicks, also while it moves.
const auto shopping = ui::component("shopping", [] {
  Signal<Items> items{Items{{1, "pears"}, {2, "apples"}, {3, "milk"}}};
  Signal<std::string> draft{std::string()};

  auto add = [=, next = 4]() mutable {
    if (draft.peek().empty()) return;
    Items all = items.peek();
    all.push_back({next++, draft.peek()});
    items.set(std::move(all));
    draft.set("");
  };
  auto sort = [=] {
    Items all = items.peek();
    std::ranges::sort(all, {}, &Item::name);
    items.set(std::move(all));
  };
  auto row = [=](const Item& item) {
    Signal<int> clicks{0};
    return ui::li(item.name, " ", ui::button(ui::text("bought {}", clicks), ui::on_click([=] {
                                               clicks.update([](int n) { return n + 1; });
                                             })),
                  ui::button("remove", ui::on_click([=, id = item.id] {
                               Items all = items.peek();
                               std::erase_if(all, [=](const Item& each) { return each.id == id; });
                               items.set(std::move(all));
                             })));
  };
  return ui::section(
      ui::h2(ui::text("{} things", [=] { return items.get().size(); })),
      ui::form(ui::input(ui::value(draft), ui::placeholder("What else?")), ui::button("Add"),
               ui::on_submit(std::move(add))),
      ui::button("Sort", ui::on_click(sort)), ui::ul(ui::For(items, &Item::id, row)),
      ui::show([=] { return items.get().empty(); }, [] { return ui::p("Nothing to buy."); }));
});

const auto counter = ui::component("counter", [] {
  Signal<int> count{0};
  auto doubled = memo([=] { return count.get() * 2; });
  Signal<std::string> name{std::string("world")};

  return ui::main(
      ui::h1(ui::text("Count: {}", count)), ui::p("Doubled: ", doubled),
      ui::button("+1", ui::on_click([=] { count.update([](int n) { return n + 1; }); })),
      ui::button("Reset", ui::disabled([=] { return count.get() == 0; }),
                 ui::on_click([=] { count.set(0); })),
      ui::p(ui::label("Name ", ui::input(ui::value(name)))), ui::p("Hello, ", name, "!"), shopping);
});

}  // namespace

int main(int argc, char** argv) {
  ServeOptions options{.title = "Counter"};
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--port" && i + 1 < argc) {
      options.port = static_cast<uint16_t>(std::atoi(argv[++i]));
    } else {
      std::fprintf(stderr, "usage: counter [--port N]\n");
      return 2;
    }
  }
  return serve(counter, options);
}
