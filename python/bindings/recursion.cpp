// SPDX-License-Identifier: MIT
#include "recursion.hpp"

#include "lattice/reactive/side_stack.hpp"

namespace lattice::python {

namespace {
PyObject* call_with_budget(PyObject* function) noexcept {
  [[maybe_unused]] RecursionBudget budget;
  return PyObject_CallNoArgs(function);
}
}  // namespace

PyObject* call_nested(PyObject* function) noexcept {
  if constexpr (!RecursionBudget::kIsRestorable) return PyObject_CallNoArgs(function);
  if (reactive::stack_left() >= RecursionBudget::stack_needed()) return call_with_budget(function);
  PyObject* result = nullptr;
  const bool is_called =
      reactive::on_side_stack([&]() noexcept { result = call_with_budget(function); });
  return is_called ? result : PyObject_CallNoArgs(function);  // as deep as Python allows
}

}  // namespace lattice::python
