// SPDX-License-Identifier: MIT
#include "lattice/ui/component.hpp"

#include "lattice/reactive/graph.hpp"

namespace lattice::ui::internal {

void refuse_reads(std::string_view component_name) {
  reactive::Graph& graph = reactive::Graph::current();
  if (!graph.tracking()) return;
  auto* observer = reactive::at<reactive::Computation>(graph.context().observer);
  if (observer->deps_tail == 0) return;
  auto* link = reactive::at<reactive::Link>(observer->deps_tail);
  std::string source = graph.name_of(reactive::at<reactive::Node>(link->dep));
  source = source == "?" ? "a signal" : "'" + source + "'";
  throw Error("component '" + std::string(component_name) + "' reads " + source +
              " in its body, which runs only once: pass the signal itself or a function as the "
              "child or attribute that shows it, or read it with peek()");
}

}  // namespace lattice::ui::internal
