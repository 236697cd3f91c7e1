// SPDX-License-Identifier: MIT
// The extension module lattice._core: calls the bind_<file>() of each file that has Python names of
// its own.
//
// CMake finds the files and defines HAVE_BINDING_<FILE>, so that a build of a part of the tree
// (one layer while another is being written) still gives an importable module.
// Order matters: a later layer may name types of an earlier one in its signatures.
#include <nanobind/nanobind.h>

#ifdef HAVE_BINDING_REACTIVE
void bind_reactive(nanobind::module_& module);
#endif
#ifdef HAVE_BINDING_ASYNC
void bind_async(nanobind::module_& module);
#endif
#ifdef HAVE_BINDING_INSPECT
void bind_inspect(nanobind::module_& module);
#endif
#ifdef HAVE_BINDING_VDOM
void bind_vdom(nanobind::module_& module);
#endif
#ifdef HAVE_BINDING_UI
void bind_ui(nanobind::module_& module);
#endif
#ifdef HAVE_BINDING_JIT
void bind_jit(nanobind::module_& module);
#endif
#ifdef HAVE_BINDING_CRDT
void bind_crdt(nanobind::module_& module);
#endif
#ifdef HAVE_BINDING_ROOM
void bind_room(nanobind::module_& module);
#endif
#ifdef HAVE_BINDING_APP
void bind_app(nanobind::module_& module);
#endif

NB_MODULE(_core, module) {
  module.doc() = "The native core of Lattice. Private: import from `lattice`.";
  module.attr("__version__") = LATTICE_VERSION;
#ifdef HAVE_BINDING_REACTIVE
  bind_reactive(module);
#endif
#ifdef HAVE_BINDING_ASYNC
  bind_async(module);
#endif
#ifdef HAVE_BINDING_INSPECT
  bind_inspect(module);
#endif
#ifdef HAVE_BINDING_VDOM
  bind_vdom(module);
#endif
#ifdef HAVE_BINDING_UI
  bind_ui(module);
#endif
#ifdef HAVE_BINDING_JIT
  bind_jit(module);
#endif
#ifdef HAVE_BINDING_CRDT
  bind_crdt(module);
#endif
#ifdef HAVE_BINDING_ROOM
  bind_room(module);
#endif
#ifdef HAVE_BINDING_APP
  bind_app(module);
#endif
}
