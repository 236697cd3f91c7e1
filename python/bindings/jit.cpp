// SPDX-License-Identifier: MIT
// Python names of the JIT: Tracer, TracedValue, Ir, Dispatcher.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "jit_ir.hpp"
#include "jit_trace.hpp"
#include "lattice/base/error.hpp"
#include "lattice/base/result.hpp"
#include "lattice/jit/autodiff/autodiff.hpp"
#include "lattice/jit/ir/canonical.hpp"
#include "lattice/jit/ir/text.hpp"
#include "lattice/jit/kernel.hpp"

namespace nb = nanobind;

namespace lattice::python::jit {

namespace ir = lattice::jit::ir;

namespace {
struct Ir {
  ir::Function function;
};

nb::str text(std::string_view view) { return nb::str(view.data(), view.size()); }

nb::dict describe_ir(const Ir& self) {
  const ir::Function& f = self.function;
  nb::list inputs;
  for (const ir::Parameter& param : f.params) {
    nb::dict item;
    item["name"] = text(param.name);
    item["type"] = text(type_name(param.type));
    item["rank"] = static_cast<int>(param.rank);
    inputs.append(item);
  }
  nb::list nodes;
  for (ir::NodeId id = 0; id < f.nodes.size(); ++id) {
    const ir::Node& node = f.nodes[id];
    nb::dict item;
    nb::list operands;
    ir::for_each_operand(f, node, [&](ir::NodeId operand) { operands.append(operand); });
    item["id"] = id;
    item["op"] = text(op_name(node.op));
    item["type"] = text(type_name(node.type));
    item["operands"] = operands;
    if (node.op == lattice::jit::Op::Const) {
      if (node.type == lattice::jit::Type::F64) {
        item["value"] = lattice::jit::from_bits<double>(node.imm);
      } else if (node.type == lattice::jit::Type::F32) {
        item["value"] = lattice::jit::from_bits<float>(node.imm);
      } else {
        item["value"] = lattice::jit::from_bits<int64_t>(node.imm);
      }
    } else {
      item["value"] = node.imm;
    }
    nodes.append(item);
  }
  nb::list outputs;
  for (ir::NodeId id : f.outputs()) outputs.append(id);
  nb::dict all;
  all["name"] = text(f.name);
  all["inputs"] = inputs;
  all["nodes"] = nodes;
  all["outputs"] = outputs;
  return all;
}

// A miscompile for the fuzzer's own test: the function with one kind of operation replaced.
ir::Function planted(ir::Function f, std::string_view what) {
  using lattice::jit::Op;
  struct Swap {
    std::string_view name;
    Op from, to;
  };
  constexpr Swap kSwaps[] = {
      {"add is sub", Op::Add, Op::Sub},       {"lt is le", Op::Lt, Op::Le},
      {"eq is le", Op::Eq, Op::Le},           {"min is max", Op::Min, Op::Max},
      {"mod is fmod", Op::Mod, Op::FMod},     {"and is or", Op::And, Op::Or},
      {"abs is neg", Op::Abs, Op::Neg},       {"floor is ceil", Op::Floor, Op::Ceil},
      {"rint is trunc", Op::Rint, Op::Trunc}, {"sum is max", Op::ReduceSum, Op::ReduceMax},
  };
  for (ir::Node& node : f.nodes) {
    if (what == "select is swapped" && node.op == Op::Select) std::swap(node.b, node.c);
    if (what == "overflow is unchecked" && is_int(node.type)) {
      node.flags = static_cast<uint16_t>(node.flags & ~ir::kChecked);
    }
    for (const Swap& swap : kSwaps) {
      if (swap.name == what && node.op == swap.from) node.op = swap.to;
    }
  }
  return f;
}

// A derivative, or a TraceError at the line that has none.
template <class Fn>
ir::Function derived(const Ir& self, Fn&& fn) {
  try {
    return fn(self.function);
  } catch (const lattice::jit::DerivativeError& error) {
    nb::module_ errors = nb::module_::import_("lattice._jit.errors");
    nb::object told = errors.attr("no_derivative")(error.what(), error.file, error.line);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(told.ptr())), told.ptr());
    throw nb::python_error();
  }
}

}  // namespace

PyObject* make_ir(ir::Function function) {
  return nb::cast(Ir{std::move(function)}).release().ptr();
}

const ir::Function* ir_of(PyObject* object) {
  Ir* found = nullptr;
  if (!nb::try_cast<Ir*>(nb::handle(object), found) || found == nullptr) {
    PyErr_SetString(PyExc_TypeError, "an Ir is needed");
    return nullptr;
  }
  return &found->function;
}

}  // namespace lattice::python::jit

void bind_jit(nb::module_& module) {
  using namespace lattice::python::jit;
  using lattice::jit::kOps;
  using lattice::jit::OpInfo;
  nb::class_<Ir>(module, "Ir", "A recorded function.")
      .def("__str__", [](const Ir& self) { return ir::print(self.function); })
      .def("__bytes__",
           [](const Ir& self) {
             const std::vector<uint8_t> bytes = ir::encode(self.function);
             return nb::bytes(bytes.data(), bytes.size());
           })
      .def_static("decode",
                  [](const nb::bytes& bytes) {
                    const auto* first = static_cast<const uint8_t*>(bytes.data());
                    lattice::Result<ir::Function> decoded = ir::decode({first, bytes.size()});
                    if (!decoded) throw lattice::DecodeError(decoded.error());
                    return Ir{std::move(decoded).value()};
                  })
      .def_prop_ro("content_hash",
                   [](const Ir& self) {
                     const ir::ContentHash hash = ir::content_hash(self.function);
                     return nb::bytes(hash.data(), hash.size());
                   })
      .def("describe", &describe_ir)
      .def("_planted",
           [](const Ir& self, const std::string& what) { return Ir{planted(self.function, what)}; })
      .def(
          "gradient",
          [](const Ir& self, std::vector<uint32_t> wrt, bool with_value, bool per_element,
             std::vector<uint32_t> unit_axes) {
            return Ir{derived(self, [&](const ir::Function& f) {
              return lattice::jit::gradient(
                  f, {std::move(wrt), with_value, per_element, std::move(unit_axes)});
            })};
          },
          nb::arg("wrt"), nb::arg("with_value"), nb::arg("per_element"), nb::arg("unit_axes"))
      .def(
          "jvp",
          [](const Ir& self, const std::vector<uint32_t>& wrt,
             const std::vector<uint32_t>& tangents) {
            return Ir{derived(
                self, [&](const ir::Function& f) { return lattice::jit::jvp(f, wrt, tangents); })};
          },
          nb::arg("wrt"), nb::arg("tangents"))
      .def_prop_ro("node_count", [](const Ir& self) { return self.function.nodes.size(); });
  if (init_trace_types(module.ptr()) < 0 || init_dispatch_type(module.ptr()) < 0) {
    throw nb::python_error();
  }
  module.def("jit_opcodes", [] {
    nb::list names;
    for (const OpInfo& info : kOps) names.append(nb::str(info.text.data(), info.text.size()));
    return names;
  });
  module.def("load_numpy", [] {
    if (!load_numpy()) throw nb::python_error();
  });
}
