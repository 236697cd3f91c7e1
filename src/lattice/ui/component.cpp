// SPDX-License-Identifier: MIT
#include "lattice/ui/component.hpp"

#include "lattice/reactive/graph.hpp"

namespace lattice::ui::internal {

void refuse_reads(std::string_view component_name) {
  reactive::Graph& graph = reactive::Graph::current();
  const reactive::Index read = graph.last_read();
  if (read == 0) return;
  std::string source = graph.name_of(reactive::at<reactive::Node>(read));
  source = source == "?" ? "a signal" : "'" + source + "'";
  throw Error("component '" + std::string(component_name) + "' reads " + source +
              " in its body, which runs only once: pass the signal itself or a function as the "
              "child or attribute that shows it, or read it with peek()");
}

}  // namespace lattice::ui::internal
