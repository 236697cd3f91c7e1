// SPDX-License-Identifier: MIT
// Nodes of a store: their life, whose they are, who watches them, what a change tells whom.
#include "store_node.hpp"

#include <algorithm>
#include <limits>

namespace lattice::python {

StoreTypes store_types;
PyObject* missing_mark = nullptr;

namespace {

constexpr Py_ssize_t kLogMax = 1024;

StoreWatch& watch_of(StoreNode* node) {
  if (node->watch == nullptr) node->watch = new StoreWatch;
  return *node->watch;
}

void drop_watch(StoreNode* node) {
  StoreWatch* watch = std::exchange(node->watch, nullptr);
  if (watch == nullptr) return;
  Py_XDECREF(watch->keys);
  Py_XDECREF(watch->members);
  for (NodeObject* signal : {watch->all, watch->length, watch->order}) {
    if (signal != nullptr) Py_DECREF(as_object(signal));
  }
  Py_XDECREF(watch->log);
  delete watch;
}

}  // namespace

// --- life

StoreNode* new_store_node(PyTypeObject* type, StoreKind kind, PyObject* data, NodeObject* anchor) {
  auto* node = as_store(type->tp_alloc(type, 0));
  if (node == nullptr) return nullptr;
  node->data = Py_NewRef(data);
  node->anchor = as_node(Py_NewRef(as_object(anchor)));
  node->kind = kind;
  return node;
}

int store_traverse(PyObject* object, visitproc visit, void* arg) {
  StoreNode* node = as_store(object);
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(node->data);
  if (node->anchor != nullptr) Py_VISIT(as_object(node->anchor));
  if (node->watch == nullptr) return 0;
  Py_VISIT(node->watch->keys);
  Py_VISIT(node->watch->members);
  for (NodeObject* signal : {node->watch->all, node->watch->length, node->watch->order}) {
    if (signal != nullptr) Py_VISIT(as_object(signal));
  }
  Py_VISIT(node->watch->log);
  return 0;
}

// The anchor stays: a node must be usable, if empty, by finalisers that see it late.
int store_clear(PyObject* object) {
  StoreNode* node = as_store(object);
  drop_watch(node);
  if (node->data != nullptr) {
    PyObject* empty = node->kind == StoreKind::Dict   ? PyDict_New()
                      : node->kind == StoreKind::List ? PyList_New(0)
                                                      : PySet_New(nullptr);
    if (empty == nullptr)
      PyErr_Clear();
    else
      Py_SETREF(node->data, empty);
  }
  return 0;
}

void store_dealloc(PyObject* object) {
  StoreNode* node = as_store(object);
  PyObject_GC_UnTrack(object);
  drop_watch(node);
  Py_CLEAR(node->data);
  NodeObject* anchor = std::exchange(node->anchor, nullptr);
  if (anchor != nullptr) Py_DECREF(as_object(anchor));
  PyTypeObject* type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* make_store(PyObject* initial, PyObject* name) {
  NodeObject* anchor = new_signal_object(Py_None);
  if (anchor == nullptr) return nullptr;
  anchor->is_store = true;
  PyObject* root = nullptr;
  if (set_options(anchor, name, nullptr, nullptr) == 0) {
    if (anchor->name == nullptr) remember_origin(anchor);
    if (bind_here(anchor) == 0) root = adopt(initial, anchor);
  }
  Py_DECREF(as_object(anchor));
  return root;
}

// --- whose it is

namespace {

PyObject* copy_leaf(PyObject* value) {
  if (!is_copied_per_session(value)) return Py_NewRef(value);
  PyObject* copy = PyImport_ImportModule("copy");
  PyObject* copied = copy != nullptr ? PyObject_CallMethod(copy, "deepcopy", "O", value) : nullptr;
  Py_XDECREF(copy);
  return copied;
}

// The memo of a session's copies: {address of the original: (original, copy)}, kept by the anchor.
PyObject* memo_find(PyObject* memo, PyObject* original) {
  PyObject* key = PyLong_FromVoidPtr(original);
  PyObject* pair = key != nullptr ? PyDict_GetItemWithError(memo, key) : nullptr;
  Py_XDECREF(key);
  return pair != nullptr ? PyTuple_GET_ITEM(pair, 1) : nullptr;
}

int memo_keep(PyObject* memo, PyObject* original, PyObject* copy) {
  PyObject* key = PyLong_FromVoidPtr(original);
  PyObject* pair = PyTuple_Pack(2, original, copy);
  const int result = key != nullptr && pair != nullptr ? PyDict_SetItem(memo, key, pair) : -1;
  Py_XDECREF(key);
  Py_XDECREF(pair);
  return result;
}

PyObject* copy_item(PyObject* value, NodeObject* anchor, PyObject* memo);

// Borrowed: the memo keeps it.
StoreNode* copy_node(StoreNode* node, NodeObject* anchor, PyObject* memo) {
  if (PyObject* known = memo_find(memo, as_object(node))) return as_store(known);
  if (PyErr_Occurred() || Py_EnterRecursiveCall(" while a store is copied")) return nullptr;
  PyObject* data = node->kind == StoreKind::Dict   ? PyDict_New()
                   : node->kind == StoreKind::List ? PyList_New(0)
                                                   : PySet_New(node->data);
  StoreNode* copy = data != nullptr
                        ? new_store_node(Py_TYPE(as_object(node)), node->kind, data, anchor)
                        : nullptr;
  bool is_done = copy != nullptr && memo_keep(memo, as_object(node), as_object(copy)) == 0;
  if (is_done && node->kind == StoreKind::List) {
    for (Py_ssize_t i = 0; is_done && i < PyList_GET_SIZE(node->data); ++i) {
      PyObject* original = Py_NewRef(PyList_GET_ITEM(node->data, i));
      PyObject* item = copy_item(original, anchor, memo);
      is_done = item != nullptr && PyList_Append(data, item) == 0;
      Py_XDECREF(item);
      Py_DECREF(original);
    }
  } else if (is_done && node->kind == StoreKind::Dict) {
    PyObject* entries = PyDict_Items(node->data);
    is_done = entries != nullptr;
    for (Py_ssize_t i = 0; is_done && i < PyList_GET_SIZE(entries); ++i) {
      PyObject* entry = PyList_GET_ITEM(entries, i);
      PyObject* item = copy_item(PyTuple_GET_ITEM(entry, 1), anchor, memo);
      is_done = item != nullptr && PyDict_SetItem(data, PyTuple_GET_ITEM(entry, 0), item) == 0;
      Py_XDECREF(item);
    }
    Py_XDECREF(entries);
  }
  Py_LeaveRecursiveCall();
  Py_XDECREF(data);
  if (copy != nullptr) Py_DECREF(as_object(copy));
  return is_done ? copy : nullptr;
}

// A wrapper without fields, and the names that its fields have. False with an error.
bool new_wrapper(PyObject* value, PyObject*& wrapper, PyObject*& names) {
  PyObject* made = PyObject_CallOneArg(store_types.new_wrapper, value);
  if (made == nullptr || made == Py_None) return Py_XDECREF(made), made != nullptr;
  wrapper = Py_NewRef(PyTuple_GET_ITEM(made, 0));
  names = Py_NewRef(PyTuple_GET_ITEM(made, 1));
  Py_DECREF(made);
  return true;
}

PyObject* fields_name() {
  static PyObject* name = PyUnicode_InternFromString("_lattice_fields");
  return name;
}

PyObject* copy_item(PyObject* value, NodeObject* anchor, PyObject* memo) {
  if (is_store_node(value)) {
    StoreNode* copy = copy_node(as_store(value), anchor, memo);
    return copy != nullptr ? Py_NewRef(as_object(copy)) : nullptr;
  }
  StoreNode* fields = fields_of(value);
  if (fields == nullptr) return copy_leaf(value);
  if (PyObject* known = memo_find(memo, value)) return Py_NewRef(known);
  PyObject *wrapper = nullptr, *names = nullptr;
  if (!new_wrapper(value, wrapper, names) || wrapper == nullptr) return nullptr;
  Py_DECREF(names);
  if (memo_keep(memo, value, wrapper) == 0) {
    StoreNode* copy = copy_node(fields, anchor, memo);
    if (copy != nullptr && PyObject_GenericSetAttr(wrapper, fields_name(), as_object(copy)) == 0) {
      return wrapper;
    }
  }
  Py_DECREF(wrapper);
  return nullptr;
}

// The session's memo, borrowed.
PyObject* memo_of(NodeObject* instance) {
  if (instance->value == Py_None) {
    PyObject* memo = PyDict_New();
    if (memo == nullptr) return nullptr;
    Py_SETREF(instance->value, memo);
  }
  return instance->value;
}

int write_from_other_thread(NodeObject* anchor) {
  raise_error(access_error,
              quoted_name(anchor) +
                  " is a store of another thread; only that thread may change it. Wrap the "
                  "function that runs on this thread: lt.in_session(fn).");
  return -1;
}

}  // namespace

StoreNode* fields_of(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) return nullptr;
  if (_PyType_Lookup(type, fields_name()) == nullptr) return nullptr;
  PyObject* fields = PyObject_GenericGetAttr(object, fields_name());
  if (fields == nullptr) return PyErr_Clear(), nullptr;
  Py_DECREF(fields);  // the wrapper keeps it
  return is_store_node(fields) ? as_store(fields) : nullptr;
}

StoreNode* store_here_slowly(StoreNode* node) {
  const Resolved resolved = resolve_node(node->anchor);
  if (resolved.place == Place::Error) return nullptr;
  if (resolved.object == node->anchor) return node;  // bound just now, or another thread's
  PyObject* memo = memo_of(resolved.object);
  if (memo == nullptr) return nullptr;
  const KeptRef kept_memo(memo);
  reactive::UntrackedGuard untracked(*Graph::current_fast());
  StoreNode* copy = copy_node(node, resolved.object, memo);
  if (copy == nullptr || resolved.object->value == memo) return copy;
  raise_ended(resolved.object);  // a function that copies has disposed it
  return nullptr;
}

StoreNode* store_here_to_write(StoreNode* node) {
  node = store_here(node);
  if (node == nullptr) return nullptr;
  if (node->anchor->graph != Graph::current_fast()) [[unlikely]] {
    write_from_other_thread(node->anchor);
    return nullptr;
  }
  if (thread_face.rendering != nullptr) [[unlikely]] {
    refuse_write_while_rendering(node->anchor);
    return nullptr;
  }
  return node;
}

// --- who reads what

namespace {

NodeObject* new_watch_signal(PyObject* value, Equality equality) {
  NodeObject* signal = new_signal_object(value);
  if (signal == nullptr) return nullptr;
  signal->equality = equality;
  if (bind_to_root(signal) < 0) return Py_DECREF(as_object(signal)), nullptr;
  return signal;
}

int track_signal(NodeObject* signal, Graph& graph) {
  const KeptRef kept(as_object(signal));
  PyObject* value =
      signal->graph == &graph ? signal_read_here(signal, graph, true) : read_node(signal, true);
  Py_XDECREF(value);
  return value != nullptr ? 0 : -1;
}

int track_in(PyObject*& signals, Graph& graph, PyObject* key, PyObject* value) {
  if (signals == nullptr && (signals = PyDict_New()) == nullptr) return -1;
  const KeptRef kept(value);
  PyObject* known = PyDict_GetItemWithError(signals, key);
  if (known != nullptr) [[likely]]
    return track_signal(as_node(known), graph);
  if (PyErr_Occurred()) return -1;
  NodeObject* signal = new_watch_signal(value, Equality::Auto);
  if (signal == nullptr) return -1;
  signal->name = PyUnicode_CheckExact(key) ? Py_NewRef(key) : PyUnicode_FromFormat("[%R]", key);
  if (signal->name == nullptr) PyErr_Clear();
  int result = PyDict_SetItem(signals, key, as_object(signal));
  if (result == 0) result = track_signal(signal, graph);
  Py_DECREF(as_object(signal));
  return result;
}

int track_one(NodeObject*& signal, Graph& graph, PyObject* value, Equality equality,
              const char* name) {
  if (signal == nullptr) {
    if ((signal = new_watch_signal(value, equality)) == nullptr) return -1;
    signal->name = PyUnicode_FromString(name);
    if (signal->name == nullptr) PyErr_Clear();
  }
  return track_signal(signal, graph);
}

Py_ssize_t length_of(const StoreNode* node) noexcept {
  switch (node->kind) {
    case StoreKind::Dict:
      return PyDict_GET_SIZE(node->data);
    case StoreKind::List:
      return PyList_GET_SIZE(node->data);
    default:
      return PySet_GET_SIZE(node->data);
  }
}

}  // namespace

int track_key(StoreNode* node, Graph& graph, PyObject* key, PyObject* value_or_null) {
  return track_in(watch_of(node).keys, graph, key,
                  value_or_null != nullptr ? value_or_null : missing_mark);
}
int track_member(StoreNode* node, Graph& graph, PyObject* key, bool is_present) {
  return track_in(watch_of(node).members, graph, key, is_present ? Py_True : Py_False);
}
int track_all(StoreNode* node, Graph& graph) {
  return track_one(watch_of(node).all, graph, Py_None, Equality::Never, "(all items)");
}
int track_order(StoreNode* node, Graph& graph) {
  return track_one(watch_of(node).order, graph, Py_None, Equality::Never, "(keys)");
}
int track_length(StoreNode* node, Graph& graph) {
  PyObject* length = PyLong_FromSsize_t(length_of(node));
  if (length == nullptr) return -1;
  const int result = track_one(watch_of(node).length, graph, length, Equality::Auto, "(length)");
  Py_DECREF(length);
  return result;
}

// --- telling them

namespace {

bool is_read(const NodeObject* signal) noexcept {
  return signal->node != nullptr && signal->node->subs != 0;
}

int write_signal(NodeObject* signal, PyObject* value) {
  Graph* graph = Graph::current_fast();
  if (signal->node == nullptr || signal->graph != graph) return 0;
  Py_INCREF(as_object(signal));
  const int result = signal_write_here(signal, *graph, value);
  Py_DECREF(as_object(signal));
  return result;
}

// One flush for all that a change tells.
class ChangeBatch {
 public:
  ChangeBatch() : graph_(*Graph::current_fast()) { graph_.open_batch(); }
  ChangeBatch(const ChangeBatch&) = delete;
  ChangeBatch& operator=(const ChangeBatch&) = delete;
  int close(int result) {
    if (result < 0) {
      SavedError saved;
      graph_.unwind_batch();
    } else {
      result = guarded(-1, [&] {
        graph_.close_batch();
        return result;
      });
    }
    settle_trash();
    return result;
  }

 private:
  Graph& graph_;
};

int tell_key(PyObject* signals, PyObject* key, PyObject* value) {
  if (signals == nullptr || PyDict_GET_SIZE(signals) == 0) return 0;
  PyObject* signal = PyDict_GetItemWithError(signals, key);
  if (signal == nullptr) return PyErr_Occurred() ? -1 : 0;
  if (!is_read(as_node(signal))) return PyDict_DelItem(signals, key);
  return write_signal(as_node(signal), value);
}

int tell_bump(NodeObject*& signal) {
  if (signal == nullptr) return 0;
  if (is_read(signal)) return write_signal(signal, Py_None);
  NodeObject* unread = std::exchange(signal, nullptr);
  Py_DECREF(as_object(unread));
  return 0;
}

int tell_length(StoreNode* node) {
  NodeObject*& signal = node->watch->length;
  if (signal == nullptr) return 0;
  if (!is_read(signal)) {
    NodeObject* unread = std::exchange(signal, nullptr);
    Py_DECREF(as_object(unread));
    return 0;
  }
  PyObject* length = PyLong_FromSsize_t(length_of(node));
  if (length == nullptr) return -1;
  const int result = write_signal(signal, length);
  Py_DECREF(length);
  return result;
}

// A change of the value at `key`, of a dict. `value` null: it is gone.
int tell_entry(StoreNode* node, PyObject* key, PyObject* value, bool is_new_or_gone) {
  ++node->version;
  if (node->watch == nullptr) return 0;
  ChangeBatch batch;
  StoreWatch& watch = *node->watch;
  int result = tell_key(watch.keys, key, value != nullptr ? value : missing_mark);
  if (result == 0 && is_new_or_gone) {
    result = tell_key(watch.members, key, value != nullptr ? Py_True : Py_False);
    if (result == 0) result = tell_length(node);
    if (result == 0) result = tell_bump(watch.order);
  }
  if (result == 0) result = tell_bump(watch.all);
  return batch.close(result);
}

struct IndexSignal {
  PyObject* key;
  NodeObject* signal;
};

// The signals of indices in [from, to), both strong.
std::vector<IndexSignal> index_signals(PyObject* signals, Py_ssize_t from, Py_ssize_t to) {
  std::vector<IndexSignal> found;
  auto take = [&](PyObject* key, PyObject* signal) {
    found.push_back({Py_NewRef(key), as_node(Py_NewRef(signal))});
  };
  if (to - from < PyDict_GET_SIZE(signals)) {
    for (Py_ssize_t index = from; index < to; ++index) {
      PyObject* key = PyLong_FromSsize_t(index);
      PyObject* signal = key != nullptr ? PyDict_GetItemWithError(signals, key) : nullptr;
      if (signal != nullptr) take(key, signal);
      Py_XDECREF(key);
    }
    return found;
  }
  Py_ssize_t position = 0;
  PyObject *key = nullptr, *signal = nullptr;
  while (PyDict_Next(signals, &position, &key, &signal)) {
    const Py_ssize_t index = PyLong_AsSsize_t(key);
    if (index >= from && index < to) take(key, signal);
  }
  return found;
}

int tell_indices(StoreNode* node, Py_ssize_t from, Py_ssize_t to, bool is_assignment) {
  PyObject* signals = node->watch->keys;
  if (signals == nullptr || PyDict_GET_SIZE(signals) == 0) return 0;
  int result = 0;
  for (auto [key, signal] : index_signals(signals, from, to)) {
    const Py_ssize_t index = PyLong_AsSsize_t(key);
    if (result == 0 && !is_read(signal)) {
      if (PyDict_Contains(signals, key) > 0) result = PyDict_DelItem(signals, key);
    } else if (result == 0) {
      PyObject* value = Py_NewRef(
          index < PyList_GET_SIZE(node->data) ? PyList_GET_ITEM(node->data, index) : missing_mark);
      if (is_assignment || signal_latest(signal) != value) result = write_signal(signal, value);
      Py_DECREF(value);
    }
    Py_DECREF(key);
    Py_DECREF(as_object(signal));
  }
  return result;
}

// --- deltas

void cut_log(StoreNode* node) {
  StoreWatch& watch = *node->watch;
  Py_SETREF(watch.log, PyList_New(0));
  watch.log_begin = node->version;
  watch.log_items = 0;
}

bool has_log(const StoreNode* node) noexcept {
  return node->watch != nullptr && node->watch->log != nullptr;
}

// After the version was counted up. Steals nothing.
int log_change(StoreNode* node, Py_ssize_t start, PyObject* removed, PyObject* added) {
  StoreWatch& watch = *node->watch;
  watch.log_items += PyList_GET_SIZE(removed) + PyList_GET_SIZE(added);
  if (watch.log_items > std::max(kLogMax, PyList_GET_SIZE(node->data)) * 2 ||
      PyList_GET_SIZE(watch.log) >= kLogMax) {
    cut_log(node);
    return 0;
  }
  PyObject* delta = Py_BuildValue("(nOO)", start, removed, added);
  const int result = delta != nullptr ? PyList_Append(watch.log, delta) : -1;
  Py_XDECREF(delta);
  return result;
}

// Whether a list's items [start, start + n) are what `items` would make them.
bool is_same_range(StoreNode* node, Py_ssize_t start, PyObject* items) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); ++i) {
    if (start + i >= PyList_GET_SIZE(node->data) ||  // comparing may have made it shorter
        is_auto_change(PyList_GET_ITEM(node->data, start + i), PyList_GET_ITEM(items, i))) {
      return false;
    }
  }
  return true;
}

}  // namespace

// --- changing

int dict_assign(StoreNode* node, PyObject* key, PyObject* value) {
  PyObject* old = PyDict_GetItemWithError(node->data, key);
  if (old == nullptr && PyErr_Occurred()) return -1;
  const KeptRef kept(old);
  if (old != nullptr && !is_auto_change(old, value)) return 0;
  const Py_ssize_t size_before = PyDict_GET_SIZE(node->data);
  int result = PyDict_SetItem(node->data, key, value);
  // Comparing may have removed the entry.
  const bool is_new = old == nullptr || PyDict_GET_SIZE(node->data) != size_before;
  if (result == 0) result = tell_entry(node, key, value, is_new);
  return result;
}

int dict_delete(StoreNode* node, PyObject* key) {
  PyObject* old = PyDict_GetItemWithError(node->data, key);
  if (old == nullptr) {
    if (!PyErr_Occurred()) PyErr_SetObject(PyExc_KeyError, key);
    return -1;
  }
  Py_INCREF(old);
  int result = PyDict_DelItem(node->data, key);
  if (result == 0) result = tell_entry(node, key, nullptr, true);
  Py_DECREF(old);
  return result;
}

int dict_clear(StoreNode* node) {
  PyObject* keys = PyDict_Keys(node->data);
  if (keys == nullptr) return -1;
  ChangeBatch batch;
  int result = 0;
  for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(keys); ++i) {
    PyObject* key = PyList_GET_ITEM(keys, i);
    if (PyDict_Contains(node->data, key) > 0) result = dict_delete(node, key);
  }
  Py_DECREF(keys);
  return batch.close(result);
}

int list_assign(StoreNode* node, Py_ssize_t index, PyObject* value) {
  PyObject* old = Py_NewRef(PyList_GET_ITEM(node->data, index));
  int result = 0;
  if (is_auto_change(old, value) && index < PyList_GET_SIZE(node->data)) {
    PyList_SetItem(node->data, index, Py_NewRef(value));
    ++node->version;
    if (has_log(node)) {
      PyObject* removed = PyList_New(1);
      PyObject* added = PyList_New(1);
      if (removed != nullptr) PyList_SET_ITEM(removed, 0, Py_NewRef(old));
      if (added != nullptr) PyList_SET_ITEM(added, 0, Py_NewRef(value));
      const bool is_made = removed != nullptr && added != nullptr;
      result = is_made ? log_change(node, index, removed, added) : -1;
      Py_XDECREF(removed);
      Py_XDECREF(added);
    }
    if (result == 0 && node->watch != nullptr) {
      ChangeBatch batch;
      result = tell_indices(node, index, index + 1, true);
      if (result == 0) result = tell_bump(node->watch->all);
      result = batch.close(result);
    }
  }
  Py_DECREF(old);
  return result;
}

int list_splice(StoreNode* node, Py_ssize_t start, Py_ssize_t stop, PyObject* added) {
  const Py_ssize_t count = PyList_GET_SIZE(added);
  if (stop - start == count && is_same_range(node, start, added)) return 0;
  const Py_ssize_t size = PyList_GET_SIZE(node->data);  // comparing may have made it shorter
  start = std::min(start, size);
  stop = std::min(stop, size);
  PyObject* removed = has_log(node) ? PyList_GetSlice(node->data, start, stop) : nullptr;
  if (removed == nullptr && PyErr_Occurred()) return -1;
  int result = PyList_SetSlice(node->data, start, stop, added);
  if (result == 0) {
    ++node->version;
    if (removed != nullptr) result = log_change(node, start, removed, added);
  }
  Py_XDECREF(removed);
  if (result < 0 || node->watch == nullptr) return result;
  const bool is_same_length = stop - start == count;
  ChangeBatch batch;
  result = tell_indices(node, start, is_same_length ? stop : std::numeric_limits<Py_ssize_t>::max(),
                        false);
  if (result == 0 && !is_same_length) result = tell_length(node);
  if (result == 0) result = tell_bump(node->watch->all);
  return batch.close(result);
}

int list_reorder(StoreNode* node, PyObject* list) {
  const Py_ssize_t size = PyList_GET_SIZE(list);
  bool is_same = size == PyList_GET_SIZE(node->data);
  for (Py_ssize_t i = 0; is_same && i < size; ++i) {
    is_same = PyList_GET_ITEM(list, i) == PyList_GET_ITEM(node->data, i);
  }
  if (is_same) return 0;
  if (PyList_SetSlice(node->data, 0, PyList_GET_SIZE(node->data), list) < 0) return -1;
  ++node->version;
  if (node->watch == nullptr) return 0;
  if (node->watch->log != nullptr) cut_log(node);
  ChangeBatch batch;
  int result = tell_indices(node, 0, std::numeric_limits<Py_ssize_t>::max(), false);
  if (result == 0) result = tell_bump(node->watch->all);
  return batch.close(result);
}

namespace {

int tell_membership(StoreNode* node, PyObject* item, bool is_present) {
  ++node->version;
  if (node->watch == nullptr) return 1;
  ChangeBatch batch;
  int result = tell_key(node->watch->members, item, is_present ? Py_True : Py_False);
  if (result == 0) result = tell_length(node);
  if (result == 0) result = tell_bump(node->watch->all);
  return batch.close(result) < 0 ? -1 : 1;
}

}  // namespace

int set_add(StoreNode* node, PyObject* item) {
  const int is_known = PySet_Contains(node->data, item);
  if (is_known != 0) return is_known < 0 ? -1 : 0;
  return PySet_Add(node->data, item) < 0 ? -1 : tell_membership(node, item, true);
}

int set_discard(StoreNode* node, PyObject* item) {
  const int was_there = PySet_Discard(node->data, item);
  return was_there <= 0 ? was_there : tell_membership(node, item, false);
}

// --- from plain data

namespace {

// One call of adopt: what was met already becomes the same node again.
class Adoption {
 public:
  explicit Adoption(NodeObject* anchor) noexcept : anchor_(anchor) {}
  ~Adoption() {
    for (auto& [original, pair] : known_) {
      Py_DECREF(original);
      Py_DECREF(pair);
    }
  }
  Adoption(const Adoption&) = delete;
  Adoption& operator=(const Adoption&) = delete;

  PyObject* value(PyObject* value) {
    PyTypeObject* type = Py_TYPE(value);
    if (PyLong_CheckExact(value) || PyUnicode_CheckExact(value) || PyFloat_CheckExact(value) ||
        value == Py_None || PyBool_Check(value)) {
      return Py_NewRef(value);
    }
    if (type == &PyDict_Type || type == &PyList_Type || type == &PySet_Type) {
      return container(value);
    }
    if (is_store_node(value)) {
      StoreNode* node = store_here(as_store(value));
      return node != nullptr ? Py_NewRef(as_object(node)) : nullptr;
    }
    if (StoreNode* fields = fields_of(value)) return wrapped(value, fields);
    if (is_dataclass(value)) return dataclass(value);
    return PyErr_Occurred() ? nullptr : Py_NewRef(value);
  }

 private:
  PyObject* find(PyObject* original) {
    auto found = known_.find(original);
    return found != known_.end() ? Py_NewRef(found->second) : nullptr;
  }
  void keep(PyObject* original, PyObject* made) {
    known_.emplace(Py_NewRef(original), Py_NewRef(made));
  }

  PyObject* container(PyObject* plain) {
    if (PyObject* known = find(plain)) return known;
    if (Py_EnterRecursiveCall(" while plain data is put into a store")) return nullptr;
    PyObject* made = nullptr;
    if (PyDict_CheckExact(plain)) {
      made = dict(plain);
    } else if (PyList_CheckExact(plain)) {
      made = list(plain);
    } else {
      PyObject* data = PySet_New(plain);
      made = data != nullptr ? node(StoreKind::Set, plain, data) : nullptr;
    }
    Py_LeaveRecursiveCall();
    return made;
  }

  // Takes the reference to data.
  PyObject* node(StoreKind kind, PyObject* plain, PyObject* data) {
    StoreNode* made =
        new_store_node(store_types.user_types[static_cast<size_t>(kind)], kind, data, anchor_);
    Py_DECREF(data);
    if (made == nullptr) return nullptr;
    keep(plain, as_object(made));
    return as_object(made);
  }

  PyObject* list(PyObject* plain) {
    PyObject* data = PyList_New(0);
    PyObject* made = data != nullptr ? node(StoreKind::List, plain, data) : nullptr;
    for (Py_ssize_t i = 0; made != nullptr && i < PyList_GET_SIZE(plain); ++i) {
      PyObject* item = Py_NewRef(PyList_GET_ITEM(plain, i));
      PyObject* adopted = value(item);
      Py_DECREF(item);
      if (adopted == nullptr || PyList_Append(as_store(made)->data, adopted) < 0) Py_CLEAR(made);
      Py_XDECREF(adopted);
    }
    return made;
  }

  PyObject* dict(PyObject* plain) {
    PyObject* data = PyDict_New();
    PyObject* made = data != nullptr ? node(StoreKind::Dict, plain, data) : nullptr;
    if (made == nullptr) return nullptr;
    PyObject* entries = PyDict_Items(plain);
    if (entries == nullptr) return Py_DECREF(made), nullptr;
    for (Py_ssize_t i = 0; made != nullptr && i < PyList_GET_SIZE(entries); ++i) {
      PyObject* entry = PyList_GET_ITEM(entries, i);
      PyObject* adopted = value(PyTuple_GET_ITEM(entry, 1));
      if (adopted == nullptr ||
          PyDict_SetItem(as_store(made)->data, PyTuple_GET_ITEM(entry, 0), adopted) < 0) {
        Py_CLEAR(made);
      }
      Py_XDECREF(adopted);
    }
    Py_DECREF(entries);
    return made;
  }

  // A wrapper stays itself; one made at module level has a copy in this session.
  PyObject* wrapped(PyObject* wrapper, StoreNode* fields) {
    StoreNode* here = store_here(fields);
    if (here == nullptr) return nullptr;
    if (here == fields) return Py_NewRef(wrapper);
    PyObject* copy = copy_item(wrapper, here->anchor, memo_of(here->anchor));
    return copy;
  }

  static bool is_dataclass(PyObject* value) {
    return (Py_TYPE(value)->tp_flags & Py_TPFLAGS_HEAPTYPE) && is_mutable_dataclass(value);
  }

  PyObject* dataclass(PyObject* plain) {
    if (PyObject* known = find(plain)) return known;
    PyObject *wrapper = nullptr, *names = nullptr;
    if (!new_wrapper(plain, wrapper, names)) return nullptr;
    if (wrapper == nullptr) return Py_NewRef(plain);  // it cannot be wrapped: a leaf
    if (Py_EnterRecursiveCall(" while plain data is put into a store")) {
      Py_DECREF(names);
      return Py_DECREF(wrapper), nullptr;
    }
    keep(plain, wrapper);
    PyObject* data = PyDict_New();
    StoreNode* fields = data != nullptr
                            ? new_store_node(store_types.dict, StoreKind::Dict, data, anchor_)
                            : nullptr;
    bool is_done = fields != nullptr &&
                   PyObject_GenericSetAttr(wrapper, fields_name(), as_object(fields)) == 0;
    for (Py_ssize_t i = 0; is_done && i < PyTuple_GET_SIZE(names); ++i) {
      PyObject* name = PyTuple_GET_ITEM(names, i);
      PyObject* field = PyObject_GetAttr(plain, name);
      if (field == nullptr && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();  // init=False and not set yet
        continue;
      }
      PyObject* adopted = field != nullptr ? value(field) : nullptr;
      is_done = adopted != nullptr && PyDict_SetItem(data, name, adopted) == 0;
      Py_XDECREF(field);
      Py_XDECREF(adopted);
    }
    Py_LeaveRecursiveCall();
    Py_XDECREF(data);
    if (fields != nullptr) Py_DECREF(as_object(fields));
    Py_DECREF(names);
    if (!is_done) Py_CLEAR(wrapper);
    return wrapper;
  }

  NodeObject* anchor_;
  std::unordered_map<PyObject*, PyObject*> known_;  // both strong
};

}  // namespace

PyObject* adopt(PyObject* value, NodeObject* anchor) { return Adoption(anchor).value(value); }

PyObject* adopt_all(PyObject* iterable, NodeObject* anchor) {
  PyObject* items = PySequence_List(iterable);
  if (items == nullptr) return nullptr;
  Adoption adoption(anchor);
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); ++i) {
    PyObject* adopted = adoption.value(PyList_GET_ITEM(items, i));
    if (adopted == nullptr) return Py_DECREF(items), nullptr;
    PyList_SetItem(items, i, adopted);
  }
  return items;
}

// --- to plain data

namespace {

class Snapshot {
 public:
  Snapshot() = default;
  ~Snapshot() {
    for (auto& [node, plain] : known_) {
      Py_DECREF(as_object(node));
      Py_DECREF(plain);
    }
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  PyObject* value(PyObject* value) {
    if (is_store_node(value)) return node(as_store(value));
    if (!(Py_TYPE(value)->tp_flags & Py_TPFLAGS_HEAPTYPE)) return Py_NewRef(value);
    StoreNode* fields = fields_of(value);
    return fields != nullptr ? dataclass(value, fields) : Py_NewRef(value);
  }

 private:
  void keep(StoreNode* node, PyObject* plain) {
    known_.emplace(as_store(Py_NewRef(as_object(node))), Py_NewRef(plain));
  }
  // Borrowed.
  PyObject* find(StoreNode* node) {
    auto found = known_.find(node);
    return found != known_.end() ? found->second : nullptr;
  }

  PyObject* node(StoreNode* there) {
    const StoreRef node = store_here(there);
    if (node == nullptr) return nullptr;
    if (PyObject* known = find(node)) return Py_NewRef(known);
    if (Graph* graph = tracking_graph(node); graph != nullptr && track_all(node, *graph) < 0) {
      return nullptr;
    }
    if (node->kind == StoreKind::Set) {
      PyObject* plain = PySet_New(node->data);
      if (plain != nullptr) keep(node, plain);
      return plain;
    }
    if (Py_EnterRecursiveCall(" while a snapshot is taken")) return nullptr;
    PyObject* plain = node->kind == StoreKind::List ? list(node) : dict(node);
    Py_LeaveRecursiveCall();
    return plain;
  }

  PyObject* list(StoreNode* node) {
    PyObject* plain = PyList_New(0);
    if (plain == nullptr) return nullptr;
    keep(node, plain);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(node->data); ++i) {
      PyObject* item = Py_NewRef(PyList_GET_ITEM(node->data, i));
      PyObject* copy = value(item);
      Py_DECREF(item);
      if (copy == nullptr || PyList_Append(plain, copy) < 0) {
        Py_XDECREF(copy);
        return Py_DECREF(plain), nullptr;
      }
      Py_DECREF(copy);
    }
    return plain;
  }

  PyObject* dict(StoreNode* node) {
    PyObject* plain = PyDict_New();
    if (plain == nullptr) return nullptr;
    keep(node, plain);
    if (fill(node,
             [&](PyObject* key, PyObject* copy) { return PyDict_SetItem(plain, key, copy); }) < 0) {
      Py_CLEAR(plain);
    }
    return plain;
  }

  template <class Put>
  int fill(StoreNode* node, Put put) {
    PyObject* entries = PyDict_Items(node->data);
    if (entries == nullptr) return -1;
    int result = 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(entries); ++i) {
      PyObject* entry = PyList_GET_ITEM(entries, i);
      PyObject* copy = value(PyTuple_GET_ITEM(entry, 1));
      result = copy != nullptr ? put(PyTuple_GET_ITEM(entry, 0), copy) : -1;
      Py_XDECREF(copy);
    }
    Py_DECREF(entries);
    return result;
  }

  PyObject* dataclass(PyObject* wrapper, StoreNode* there) {
    const StoreRef fields = store_here(there);
    if (fields == nullptr) return nullptr;
    if (PyObject* known = find(fields)) return Py_NewRef(known);
    if (Graph* graph = tracking_graph(fields); graph != nullptr && track_all(fields, *graph) < 0) {
      return nullptr;
    }
    PyObject* plain = PyObject_CallOneArg(store_types.new_plain, wrapper);
    if (plain == nullptr) return nullptr;
    keep(fields, plain);
    if (Py_EnterRecursiveCall(" while a snapshot is taken")) return Py_DECREF(plain), nullptr;
    if (fill(fields, [&](PyObject* name, PyObject* copy) {
          return PyObject_GenericSetAttr(plain, name, copy);
        }) < 0) {
      Py_CLEAR(plain);
    }
    Py_LeaveRecursiveCall();
    return plain;
  }

  std::unordered_map<StoreNode*, PyObject*> known_;  // both strong
};

}  // namespace

PyObject* snapshot(PyObject* value) { return Snapshot().value(value); }

}  // namespace lattice::python
