// SPDX-License-Identifier: MIT
// The containers of lattice.store: dict, list and set whose reads track per key.
//
//   root (ListNode) --data--> [ DictNode --data--> {"title": "a", "done": False}, ... ]
//      \--anchor--> Signal        \--watch--> {"done": Signal}, all, length, order
//
// A store is a tree of nodes. A node's `data` is a plain container of leaves and of other nodes, so
// that a read is one lookup. Plain containers that are put in are copied into nodes ("adopted");
// nodes that are put in stay themselves, so two paths may lead to one node, and cycles are fine.
//
// What is watched is made at the first tracked read and forgotten at a write that finds nobody
// reading: a signal per key or index with its value, one per key with its presence, and for the
// whole container `all` (any change of its own), `length`, and a dict's `order`.
//
// Whose it is: all nodes of a store share an anchor, an ordinary signal made with it. Owner,
// disposal, threads and sessions are those of the anchor: where it resolves to another session's
// instance, that session has a copy of the nodes (`here`).
#pragma once

#include "reactive_node.hpp"

namespace lattice::python {

enum class StoreKind : uint8_t { Dict, List, Set };

struct StoreWatch {
  PyObject* keys = nullptr;     // dict: key or index -> Signal of the value, or of missing_mark
  PyObject* members = nullptr;  // dict: key -> Signal of True or False
  NodeObject* all = nullptr;
  NodeObject* length = nullptr;
  NodeObject* order = nullptr;
  PyObject* log = nullptr;  // a list's deltas (start, removed, added); null while nobody asks
  uint64_t log_begin = 0;   // the version before the first of them
  Py_ssize_t log_items = 0;
};

struct StoreNode {
  PyObject ob_base;
  PyObject* data;
  NodeObject* anchor;
  StoreWatch* watch;
  uint64_t version;  // number of its own changes
  StoreKind kind;
};

struct StoreTypes {
  PyTypeObject* node = nullptr;  // base of the three
  PyTypeObject* dict = nullptr;
  PyTypeObject* list = nullptr;
  PyTypeObject* set = nullptr;
  // From lattice._store: the classes that users see, and how dataclasses are handled.
  PyTypeObject* user_types[3] = {};
  PyObject* new_wrapper = nullptr;  // of a dataclass instance: (wrapper, names of its fields)
  PyObject* new_plain = nullptr;    // an instance without fields of the class that is wrapped
};
extern StoreTypes store_types;
extern PyObject* missing_mark;

inline StoreNode* as_store(PyObject* object) noexcept {
  return reinterpret_cast<StoreNode*>(object);
}
inline PyObject* as_object(StoreNode* node) noexcept { return reinterpret_cast<PyObject*>(node); }
inline bool is_store_node(PyObject* object) noexcept {
  return PyObject_TypeCheck(object, store_types.node) != 0;
}
// Keeps an object while code of the user may run, which may take it out of where it was: an entry
// goes, or the session's copy of a store ends.
class KeptRef {
 public:
  explicit KeptRef(PyObject* object) noexcept : object_(Py_XNewRef(object)) {}
  ~KeptRef() { Py_XDECREF(object_); }
  KeptRef(const KeptRef&) = delete;
  KeptRef& operator=(const KeptRef&) = delete;

 private:
  PyObject* object_;
};
class StoreRef : KeptRef {
 public:
  StoreRef(StoreNode* node) noexcept  // NOLINT: implicit on purpose
      : KeptRef(as_object(node)), node_(node) {}
  operator StoreNode*() const noexcept { return node_; }  // NOLINT: likewise
  StoreNode* operator->() const noexcept { return node_; }

 private:
  StoreNode* node_;
};
// Of a dataclass wrapper: its DictNode, borrowed; null for anything else, without an error.
StoreNode* fields_of(PyObject* object);

// --- life
StoreNode* new_store_node(PyTypeObject* type, StoreKind kind, PyObject* data, NodeObject* anchor);
void store_dealloc(PyObject* object);
int store_traverse(PyObject* object, visitproc visit, void* arg);
int store_clear(PyObject* object);
// A new store, its anchor in the current graph.
PyObject* make_store(PyObject* initial, PyObject* name);

// --- which node this is here
StoreNode* store_here_slowly(StoreNode* node);
// The node of the current session that stands for `node`, borrowed; null with an error.
inline StoreNode* store_here(StoreNode* node) {
  if (node->anchor->graph == Graph::current_fast()) [[likely]]
    return node;
  return store_here_slowly(node);
}
// The same for a write: refuses other threads, and components that render.
StoreNode* store_here_to_write(StoreNode* node);

// --- reading. Each -1 with an error.
// Null when nothing tracks, or when the node is another thread's.
inline Graph* tracking_graph(const StoreNode* node) noexcept {
  Graph* graph = Graph::current_fast();
  return graph->tracking() && node->anchor->graph == graph ? graph : nullptr;
}
int track_key(StoreNode* node, Graph& graph, PyObject* key, PyObject* value_or_null);
int track_member(StoreNode* node, Graph& graph, PyObject* key, bool is_present);
int track_all(StoreNode* node, Graph& graph);
int track_length(StoreNode* node, Graph& graph);
int track_order(StoreNode* node, Graph& graph);

// --- changing. The values are adopted already. Each -1 with an error.
int dict_assign(StoreNode* node, PyObject* key, PyObject* value);
int dict_delete(StoreNode* node, PyObject* key);  // KeyError
int dict_clear(StoreNode* node);
int list_assign(StoreNode* node, Py_ssize_t index, PyObject* value);
int list_splice(StoreNode* node, Py_ssize_t start, Py_ssize_t stop, PyObject* added);
int list_reorder(StoreNode* node, PyObject* list);  // the same items in another order
int set_add(StoreNode* node, PyObject* item);       // 1 when it is new
int set_discard(StoreNode* node, PyObject* item);   // 1 when it was there

// --- between plain data and nodes. New references, null with an error.
PyObject* adopt(PyObject* value, NodeObject* anchor);
PyObject* adopt_all(PyObject* iterable, NodeObject* anchor);  // a list
PyObject* snapshot(PyObject* value);

PyTypeObject* make_store_types();  // the base; the others are put into store_types

}  // namespace lattice::python
