// SPDX-License-Identifier: MIT
// The Python types of store nodes: what of dict, list and set must be fast. lattice._store derives
// the classes that users see, with the rest of their methods written in terms of these.
#include <nanobind/nanobind.h>

#include "store_node.hpp"

namespace nb = nanobind;

namespace lattice::python {

namespace {

template <class Function>
PyType_Slot slot(int id, Function* function) {
  return {id, reinterpret_cast<void*>(function)};
}

PyCFunction as_method(PyObject* (*function)(PyObject*, PyObject* const*, Py_ssize_t)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyObject* none_or_error(int result) {
  if (result < 0) return nullptr;
  Py_RETURN_NONE;
}

// --- of all kinds

Py_ssize_t node_length(PyObject* object) {
  const StoreRef node = store_here(as_store(object));
  if (node == nullptr) return -1;
  if (Graph* graph = tracking_graph(node); graph != nullptr && track_length(node, *graph) < 0) {
    return -1;
  }
  return PyObject_Size(node->data);
}

// Who iterates reads everything that the container itself holds.
PyObject* node_iter(PyObject* object) {
  const StoreRef node = store_here(as_store(object));
  if (node == nullptr) return nullptr;
  if (Graph* graph = tracking_graph(node)) {
    const int result =
        node->kind == StoreKind::Dict ? track_order(node, *graph) : track_all(node, *graph);
    if (result < 0) return nullptr;
  }
  return PyObject_GetIter(node->data);
}

PyObject* node_all(PyObject* object, PyObject*) {
  const StoreRef node = store_here(as_store(object));
  if (node == nullptr) return nullptr;
  if (Graph* graph = tracking_graph(node); graph != nullptr && track_all(node, *graph) < 0) {
    return nullptr;
  }
  return Py_NewRef(node->data);
}

PyObject* node_raw(PyObject* object, PyObject*) {
  const StoreRef node = store_here(as_store(object));
  return node != nullptr ? Py_NewRef(node->data) : nullptr;
}

PyObject* node_here(PyObject* object, PyObject*) {
  const StoreRef node = store_here(as_store(object));
  return node != nullptr ? Py_NewRef(as_object(node)) : nullptr;
}

PyObject* node_to_write(PyObject* object, PyObject*) {
  const StoreRef node = store_here_to_write(as_store(object));
  return node != nullptr ? Py_NewRef(node->data) : nullptr;
}

PyObject* node_dispose_store(PyObject* object, PyObject*) {
  dispose_object(as_store(object)->anchor);
  Py_RETURN_NONE;
}

PyObject* node_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyErr_Format(PyExc_TypeError, "a %s is made by lt.store(...)", type->tp_name);
  return nullptr;
}

PyMethodDef node_methods[] = {
    {"_all", &node_all, METH_NOARGS, "The data inside, read as a whole. Not to be changed."},
    {"_raw", &node_raw, METH_NOARGS, "The data inside, without tracking. Not to be changed."},
    {"_here", &node_here, METH_NOARGS, "The node that stands for this one in this session."},
    {"_to_write", &node_to_write, METH_NOARGS, "As _raw, where a write is allowed."},
    {"_dispose_store", &node_dispose_store, METH_NOARGS, "Ends the whole store."},
    {nullptr, nullptr, 0, nullptr}};

// --- dict

// Tracked; borrowed; null without an error when there is none.
PyObject* dict_find(StoreNode* node, PyObject* key) {
  PyObject* value = PyDict_GetItemWithError(node->data, key);
  if (value == nullptr && PyErr_Occurred()) return nullptr;
  if (Graph* graph = tracking_graph(node)) {
    if (track_key(node, *graph, key, value) < 0) return nullptr;
    value = PyDict_GetItemWithError(node->data, key);  // tracking may run an equality function
  }
  return value;
}

PyObject* dict_subscript(PyObject* object, PyObject* key) {
  const StoreRef node = store_here(as_store(object));
  if (node == nullptr) return nullptr;
  PyObject* value = dict_find(node, key);
  if (value != nullptr) [[likely]]
    return Py_NewRef(value);
  if (!PyErr_Occurred()) PyErr_SetObject(PyExc_KeyError, key);
  return nullptr;
}

int dict_ass_subscript(PyObject* object, PyObject* key, PyObject* value) {
  const StoreRef node = store_here_to_write(as_store(object));
  if (node == nullptr) return -1;
  if (value == nullptr) return dict_delete(node, key);
  PyObject* adopted = adopt(value, node->anchor);
  if (adopted == nullptr) return -1;
  const int result = dict_assign(node, key, adopted);
  Py_DECREF(adopted);
  return result;
}

int dict_contains(PyObject* object, PyObject* key) {
  const StoreRef node = store_here(as_store(object));
  if (node == nullptr) return -1;
  const int is_present = PyDict_Contains(node->data, key);
  if (is_present < 0) return -1;
  if (Graph* graph = tracking_graph(node);
      graph != nullptr && track_member(node, *graph, key, is_present != 0) < 0) {
    return -1;
  }
  return is_present;
}

PyObject* dict_get(PyObject* object, PyObject* const* args, Py_ssize_t count) {
  if (count < 1 || count > 2) {
    PyErr_Format(PyExc_TypeError, "get() takes 1 or 2 arguments, not %zd", count);
    return nullptr;
  }
  const StoreRef node = store_here(as_store(object));
  if (node == nullptr) return nullptr;
  PyObject* value = dict_find(node, args[0]);
  if (value != nullptr) return Py_NewRef(value);
  if (PyErr_Occurred()) return nullptr;
  return Py_NewRef(count == 2 ? args[1] : Py_None);
}

PyObject* dict_clear_method(PyObject* object, PyObject*) {
  const StoreRef node = store_here_to_write(as_store(object));
  return node != nullptr ? none_or_error(dict_clear(node)) : nullptr;
}

PyMethodDef dict_methods[] = {
    {"get", as_method(&dict_get), METH_FASTCALL,
     "get(key, default=None, /)\n--\n\nThe value of key, else the default."},
    {"clear", &dict_clear_method, METH_NOARGS, "clear()\n--\n\nRemoves all entries."},
    {nullptr, nullptr, 0, nullptr}};

// --- list

PyObject* item_at(StoreNode* node, Py_ssize_t index) {
  const bool is_from_end = index < 0;
  if (is_from_end) index += PyList_GET_SIZE(node->data);
  if (Graph* graph = tracking_graph(node)) {
    if (is_from_end && track_length(node, *graph) < 0) return nullptr;
    if (index >= 0) {
      PyObject* key = PyLong_FromSsize_t(index);
      if (key == nullptr) return nullptr;
      const int result = track_key(
          node, *graph, key,
          index < PyList_GET_SIZE(node->data) ? PyList_GET_ITEM(node->data, index) : nullptr);
      Py_DECREF(key);
      if (result < 0) return nullptr;
    }
  }
  if (index >= 0 && index < PyList_GET_SIZE(node->data)) [[likely]]
    return Py_NewRef(PyList_GET_ITEM(node->data, index));
  PyErr_SetString(PyExc_IndexError, "list index out of range");
  return nullptr;
}

PyObject* raise_not_an_index(PyObject* key) {
  PyErr_Format(PyExc_TypeError, "list indices must be integers or slices, not %s",
               Py_TYPE(key)->tp_name);
  return nullptr;
}

PyObject* list_subscript(PyObject* object, PyObject* key) {
  const StoreRef node = store_here(as_store(object));
  if (node == nullptr) return nullptr;
  if (PyIndex_Check(key)) [[likely]] {
    const Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    return index == -1 && PyErr_Occurred() ? nullptr : item_at(node, index);
  }
  if (!PySlice_Check(key)) return raise_not_an_index(key);
  if (Graph* graph = tracking_graph(node); graph != nullptr && track_all(node, *graph) < 0) {
    return nullptr;
  }
  return PyObject_GetItem(node->data, key);
}

int assign_at(StoreNode* node, Py_ssize_t index, PyObject* value) {
  const Py_ssize_t size = PyList_GET_SIZE(node->data);
  if (index < 0) index += size;
  if (index < 0 || index >= size) {
    PyErr_SetString(PyExc_IndexError, "list assignment index out of range");
    return -1;
  }
  if (value == nullptr) {
    PyObject* none = PyList_New(0);
    const int result = none != nullptr ? list_splice(node, index, index + 1, none) : -1;
    Py_XDECREF(none);
    return result;
  }
  PyObject* adopted = adopt(value, node->anchor);
  if (adopted == nullptr) return -1;
  const int result = index < PyList_GET_SIZE(node->data) ? list_assign(node, index, adopted) : 0;
  Py_DECREF(adopted);
  return result;
}

// [a:b:c] = values: on a copy, then as a whole.
int assign_stepped(StoreNode* node, PyObject* slice, PyObject* values) {
  PyObject* copy = PyList_GetSlice(node->data, 0, PyList_GET_SIZE(node->data));
  if (copy == nullptr) return -1;
  int result =
      values == nullptr ? PyObject_DelItem(copy, slice) : PyObject_SetItem(copy, slice, values);
  if (result == 0) result = list_splice(node, 0, PyList_GET_SIZE(node->data), copy);
  Py_DECREF(copy);
  return result;
}

int assign_slice(StoreNode* node, PyObject* slice, PyObject* value) {
  Py_ssize_t start = 0, stop = 0, step = 0;
  PyObject* values = nullptr;
  if (value != nullptr) {
    values = adopt_all(value, node->anchor);
    if (values == nullptr) return -1;
  }
  int result = PySlice_Unpack(slice, &start, &stop, &step);
  if (result == 0 && step != 1) {
    result = assign_stepped(node, slice, values);
  } else if (result == 0) {
    PySlice_AdjustIndices(PyList_GET_SIZE(node->data), &start, &stop, step);
    if (values == nullptr) values = PyList_New(0);
    result = values != nullptr ? list_splice(node, start, std::max(start, stop), values) : -1;
  }
  Py_XDECREF(values);
  return result;
}

int list_ass_subscript(PyObject* object, PyObject* key, PyObject* value) {
  const StoreRef node = store_here_to_write(as_store(object));
  if (node == nullptr) return -1;
  if (PyIndex_Check(key)) {
    const Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    return index == -1 && PyErr_Occurred() ? -1 : assign_at(node, index, value);
  }
  if (PySlice_Check(key)) return assign_slice(node, key, value);
  raise_not_an_index(key);
  return -1;
}

PyObject* list_item(PyObject* object, Py_ssize_t index) {
  const StoreRef node = store_here(as_store(object));
  return node != nullptr ? item_at(node, index) : nullptr;
}

int list_contains(PyObject* object, PyObject* value) {
  PyObject* data = node_all(object, nullptr);
  if (data == nullptr) return -1;
  const int is_present = PySequence_Contains(data, value);
  Py_DECREF(data);
  return is_present;
}

PyObject* insert_at(StoreNode* node, Py_ssize_t index, PyObject* value) {
  PyObject* adopted = adopt(value, node->anchor);
  PyObject* added = adopted != nullptr ? PyList_New(1) : nullptr;
  if (added == nullptr) return Py_XDECREF(adopted), nullptr;
  PyList_SET_ITEM(added, 0, adopted);
  const Py_ssize_t size = PyList_GET_SIZE(node->data);
  if (index < 0) index = std::max<Py_ssize_t>(index + size, 0);
  index = std::min(index, size);
  const int result = list_splice(node, index, index, added);
  Py_DECREF(added);
  return none_or_error(result);
}

PyObject* list_append(PyObject* object, PyObject* value) {
  const StoreRef node = store_here_to_write(as_store(object));
  return node != nullptr ? insert_at(node, PyList_GET_SIZE(node->data), value) : nullptr;
}

PyObject* list_insert(PyObject* object, PyObject* const* args, Py_ssize_t count) {
  if (count != 2) {
    PyErr_Format(PyExc_TypeError, "insert() takes 2 arguments, not %zd", count);
    return nullptr;
  }
  const Py_ssize_t index = PyNumber_AsSsize_t(args[0], nullptr);
  if (index == -1 && PyErr_Occurred()) return nullptr;
  const StoreRef node = store_here_to_write(as_store(object));
  return node != nullptr ? insert_at(node, index, args[1]) : nullptr;
}

PyObject* list_pop(PyObject* object, PyObject* const* args, Py_ssize_t count) {
  if (count > 1) {
    PyErr_Format(PyExc_TypeError, "pop() takes at most 1 argument, not %zd", count);
    return nullptr;
  }
  Py_ssize_t index = -1;
  if (count == 1) {
    index = PyNumber_AsSsize_t(args[0], PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) return nullptr;
  }
  const StoreRef node = store_here_to_write(as_store(object));
  if (node == nullptr) return nullptr;
  const Py_ssize_t size = PyList_GET_SIZE(node->data);
  if (index < 0) index += size;
  if (index < 0 || index >= size) {
    PyErr_SetString(PyExc_IndexError, size == 0 ? "pop from empty list" : "pop index out of range");
    return nullptr;
  }
  PyObject* item = Py_NewRef(PyList_GET_ITEM(node->data, index));
  PyObject* none = PyList_New(0);
  const int result = none != nullptr ? list_splice(node, index, index + 1, none) : -1;
  Py_XDECREF(none);
  if (result < 0) Py_CLEAR(item);
  return item;
}

// _splice(start, stop, values): replaces [start, stop), which lies inside.
PyObject* list_splice_method(PyObject* object, PyObject* args) {
  Py_ssize_t start = 0, stop = 0;
  PyObject* values = nullptr;
  if (!PyArg_ParseTuple(args, "nnO", &start, &stop, &values)) return nullptr;
  const StoreRef node = store_here_to_write(as_store(object));
  PyObject* added = node != nullptr ? adopt_all(values, node->anchor) : nullptr;
  if (added == nullptr) return nullptr;
  const Py_ssize_t size = PyList_GET_SIZE(node->data);
  start = std::clamp<Py_ssize_t>(start, 0, size);
  stop = std::clamp(stop, start, size);
  const int result = list_splice(node, start, stop, added);
  Py_DECREF(added);
  return none_or_error(result);
}

PyObject* list_reorder_method(PyObject* object, PyObject* list) {
  const StoreRef node = store_here_to_write(as_store(object));
  if (node == nullptr) return nullptr;
  if (!PyList_CheckExact(list)) return PyErr_BadArgument(), nullptr;
  return none_or_error(list_reorder(node, list));
}

PyObject* list_version(PyObject* object, void*) {
  const StoreRef node = store_here(as_store(object));
  return node != nullptr ? PyLong_FromUnsignedLongLong(node->version) : nullptr;
}

// _deltas(since): what happened after that version, oldest first; None when that is not known (any
// more). Asking begins the log.
PyObject* list_deltas(PyObject* object, PyObject* since) {
  const StoreRef node = store_here(as_store(object));
  if (node == nullptr) return nullptr;
  const long long version = PyLong_AsLongLong(since);
  if (version == -1 && PyErr_Occurred()) return nullptr;
  if (node->watch == nullptr) node->watch = new StoreWatch;
  StoreWatch& watch = *node->watch;
  if (watch.log == nullptr) {
    watch.log = PyList_New(0);
    if (watch.log == nullptr) return nullptr;
    watch.log_begin = node->version;
    watch.log_items = 0;
  }
  if (version < 0 || static_cast<uint64_t>(version) < watch.log_begin) Py_RETURN_NONE;
  const auto begin = static_cast<Py_ssize_t>(static_cast<uint64_t>(version) - watch.log_begin);
  return PyList_GetSlice(watch.log, begin, PyList_GET_SIZE(watch.log));
}

PyMethodDef list_methods[] = {
    {"append", &list_append, METH_O, "append(value, /)\n--\n\nAdds an item at the end."},
    {"insert", as_method(&list_insert), METH_FASTCALL,
     "insert(index, value, /)\n--\n\nAdds an item before index."},
    {"pop", as_method(&list_pop), METH_FASTCALL,
     "pop(index=-1, /)\n--\n\nRemoves the item at index and returns it."},
    {"_splice", &list_splice_method, METH_VARARGS, nullptr},
    {"_reorder", &list_reorder_method, METH_O, nullptr},
    {"_deltas", &list_deltas, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef list_getset[] = {{"_version", &list_version, nullptr, nullptr, nullptr},
                             {nullptr, nullptr, nullptr, nullptr, nullptr}};

// --- set

int set_contains(PyObject* object, PyObject* item) {
  const StoreRef node = store_here(as_store(object));
  if (node == nullptr) return -1;
  const int is_present = PySet_Contains(node->data, item);
  if (is_present < 0) return -1;
  if (Graph* graph = tracking_graph(node);
      graph != nullptr && track_member(node, *graph, item, is_present != 0) < 0) {
    return -1;
  }
  return is_present;
}

PyObject* set_add_method(PyObject* object, PyObject* item) {
  const StoreRef node = store_here_to_write(as_store(object));
  return node != nullptr ? none_or_error(set_add(node, item)) : nullptr;
}

PyObject* set_discard_method(PyObject* object, PyObject* item) {
  const StoreRef node = store_here_to_write(as_store(object));
  return node != nullptr ? none_or_error(set_discard(node, item)) : nullptr;
}

PyObject* set_remove_method(PyObject* object, PyObject* item) {
  const StoreRef node = store_here_to_write(as_store(object));
  if (node == nullptr) return nullptr;
  const int was_there = set_discard(node, item);
  if (was_there == 0) PyErr_SetObject(PyExc_KeyError, item);
  return was_there > 0 ? Py_NewRef(Py_None) : nullptr;
}

PyMethodDef set_methods[] = {
    {"add", &set_add_method, METH_O, "add(item, /)\n--\n\nAdds an item."},
    {"discard", &set_discard_method, METH_O,
     "discard(item, /)\n--\n\nRemoves an item if it is there."},
    {"remove", &set_remove_method, METH_O, "remove(item, /)\n--\n\nRemoves an item; KeyError."},
    {nullptr, nullptr, 0, nullptr}};

// --- the types

PyTypeObject* make_type(const char* name, const char* doc, std::vector<PyType_Slot> slots,
                        PyTypeObject* base) {
  slots.push_back(slot(Py_tp_new, &node_new));
  slots.push_back(slot(Py_tp_dealloc, &store_dealloc));
  slots.push_back(slot(Py_tp_traverse, &store_traverse));
  slots.push_back(slot(Py_tp_clear, &store_clear));
  slots.push_back({Py_tp_doc, const_cast<char*>(doc)});
  slots.push_back({0, nullptr});
  PyType_Spec spec = {name, sizeof(StoreNode), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots.data()};
  PyObject* type = base != nullptr
                       ? PyType_FromSpecWithBases(&spec, reinterpret_cast<PyObject*>(base))
                       : PyType_FromSpec(&spec);
  return reinterpret_cast<PyTypeObject*>(type);
}

}  // namespace

PyTypeObject* make_store_types() {
  store_types.node = make_type("lattice._core.StoreNode", "A container of a store.",
                               {slot(Py_mp_length, &node_length), slot(Py_tp_iter, &node_iter),
                                slot(Py_tp_methods, &node_methods[0])},
                               nullptr);
  if (store_types.node == nullptr) return nullptr;
  store_types.dict =
      make_type("lattice._core.DictNode", "A dict of a store.",
                {slot(Py_mp_length, &node_length), slot(Py_mp_subscript, &dict_subscript),
                 slot(Py_mp_ass_subscript, &dict_ass_subscript),
                 slot(Py_sq_contains, &dict_contains), slot(Py_tp_methods, &dict_methods[0])},
                store_types.node);
  store_types.list = make_type(
      "lattice._core.ListNode", "A list of a store.",
      {slot(Py_mp_length, &node_length), slot(Py_sq_length, &node_length),
       slot(Py_mp_subscript, &list_subscript), slot(Py_sq_item, &list_item),
       slot(Py_mp_ass_subscript, &list_ass_subscript), slot(Py_sq_contains, &list_contains),
       slot(Py_tp_methods, &list_methods[0]), slot(Py_tp_getset, &list_getset[0])},
      store_types.node);
  store_types.set =
      make_type("lattice._core.SetNode", "A set of a store.",
                {slot(Py_sq_length, &node_length), slot(Py_mp_length, &node_length),
                 slot(Py_sq_contains, &set_contains), slot(Py_tp_methods, &set_methods[0])},
                store_types.node);
  return store_types.dict != nullptr && store_types.list != nullptr ? store_types.set : nullptr;
}

namespace {

nb::object checked(PyObject* object) {
  if (object == nullptr) throw nb::python_error();
  return nb::steal(object);
}

void set_store_face(nb::handle dict, nb::handle list, nb::handle set, nb::object new_wrapper,
                    nb::object new_plain) {
  PyTypeObject** places = store_types.user_types;
  for (nb::handle type : {dict, list, set}) {
    *places++ = reinterpret_cast<PyTypeObject*>(type.inc_ref().ptr());
  }
  store_types.new_wrapper = new_wrapper.release().ptr();
  store_types.new_plain = new_plain.release().ptr();
}

}  // namespace

void bind_store(nb::module_& module) {
  missing_mark =
      checked(PyObject_CallNoArgs(reinterpret_cast<PyObject*>(&PyBaseObject_Type))).release().ptr();
  if (make_store_types() == nullptr) throw nb::python_error();
  auto add = [&](const char* name, PyTypeObject* type) {
    module.attr(name) = nb::handle(reinterpret_cast<PyObject*>(type));
  };
  add("StoreNode", store_types.node);
  add("DictNode", store_types.dict);
  add("ListNode", store_types.list);
  add("SetNode", store_types.set);
  module.def("set_store_face", &set_store_face, nb::arg("dict"), nb::arg("list"), nb::arg("set"),
             nb::arg("new_wrapper"), nb::arg("new_plain"),
             nb::sig("def set_store_face(dict: type, list: type, set: type, new_wrapper: object, "
                     "new_plain: object) -> None"),
             "The classes and functions of lattice._store.");
  module.def(
      "make_store",
      [](nb::handle initial, nb::handle name) {
        return checked(make_store(initial.ptr(), name.ptr()));
      },
      nb::arg("initial").none(), nb::arg("name").none(),
      nb::sig("def make_store(initial: object, name: str | None) -> object"));
  module.def(
      "snapshot", [](nb::handle value) { return checked(snapshot(value.ptr())); },
      nb::arg("value").none(), nb::sig("def snapshot(value: object) -> object"));
}

}  // namespace lattice::python
