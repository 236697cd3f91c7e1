// SPDX-License-Identifier: MIT
// lattice._core.Crdt*: documents and shared types as lattice.crdt holds them.
//
// The classes of lattice.crdt are thin: each method there is one call here, and lists of values or
// edits cross in one piece. What is no plain value (a shared type that is not in a document yet) is
// answered with False and put together in Python.
//
// A document belongs to one thread at a time. The GIL guards it, except while a large update is
// integrated or a state encoded: those run without it, and others who come meanwhile get
// AccessError. Observers are called with the GIL.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <functional>
#include <utility>

#include "crdt_values.hpp"
#include "lattice/collab/crdt/relative_position.hpp"
#include "lattice/collab/crdt/snapshot.hpp"
#include "lattice/collab/crdt/undo_manager.hpp"
#include "lattice/collab/crdt/update.hpp"

namespace nb = nanobind;

namespace lattice::python {

using crdt::Any;
using crdt::Type;
using crdt::TypeKind;

namespace {

// Integrating or encoding fewer bytes takes less time than giving the GIL away and back.
constexpr size_t kUnlockBytes = 4096;

// Classes that handles come out as; set by lattice.crdt.
nb::object* wrap_type = nullptr;  // callable(handle, kind) -> public object
nb::object* wrap_doc = nullptr;   // callable(CrdtDoc) -> Doc
nb::object* make_event = nullptr;

struct PyTransaction {
  std::shared_ptr<DocCell> cell;
  crdt::Origin origin;
  std::optional<crdt::Doc::Scope> scope;

  void enter() {
    if (scope) throw Error("this transaction has begun already; make a new one");
    scope.emplace(cell->use(), origin, true);
  }
  void exit() {
    if (!scope) return;
    cell->use();
    // Emptied whatever close() throws.
    struct Emptied {
      std::optional<crdt::Doc::Scope>& scope;
      ~Emptied() { scope.reset(); }
    } emptied{scope};
    scope->close();
  }
};

// What the callbacks of one observer share: the Python function, dropped with the GIL.
class Callback {
 public:
  explicit Callback(nb::object function)
      : function_(std::make_shared<Held>(Held{std::move(function)})) {}
  template <class MakeArguments>
  void operator()(MakeArguments&& arguments) const {
    nb::gil_scoped_acquire gil;
    arguments(function_->function);
  }

 private:
  struct Held {
    nb::object function;
    ~Held() {
      if (!Py_IsInitialized()) {
        function.release();
        return;
      }
      nb::gil_scoped_acquire gil;
      function.reset();
    }
  };
  std::shared_ptr<Held> function_;
};

void check(const Result<void>& result) {
  if (!result) throw DecodeError(result.error());
}

crdt::UpdateVersion version_of(int version) {
  if (version == 1) return crdt::UpdateVersion::V1;
  if (version == 2) return crdt::UpdateVersion::V2;
  throw nb::value_error("version is 1 or 2");
}

crdt::Encoding encoding_of(int version) {
  return version_of(version) == crdt::UpdateVersion::V1 ? crdt::Encoding::V1 : crdt::Encoding::V2;
}

crdt::StateVector state_from(const std::optional<nb::bytes>& state) {
  if (!state) return {};
  Result<crdt::StateVector> decoded = crdt::StateVector::decode(byte_span(*state));
  if (!decoded) throw DecodeError(decoded.error());
  return std::move(decoded).value();
}

// --- events

nb::object delta_object(const std::shared_ptr<DocCell>& cell,
                        const std::vector<crdt::DeltaOp>& delta, bool is_text) {
  nb::list result;
  for (const crdt::DeltaOp& op : delta) {
    nb::dict entry;
    switch (op.action) {
      case crdt::DeltaOp::Action::Retain:
        entry["retain"] = op.count;
        break;
      case crdt::DeltaOp::Action::Delete:
        entry["delete"] = op.count;
        break;
      case crdt::DeltaOp::Action::Insert:
        if (op.values.empty()) {
          entry["insert"] = text_object(op.text);
        } else if (is_text && op.values.size() == 1) {
          entry["insert"] = value_object(cell, op.values.front());
        } else {
          nb::list values;
          for (const crdt::Value& value : op.values) values.append(value_object(cell, value));
          entry["insert"] = values;
        }
        break;
    }
    if (!op.attributes.empty()) entry["attributes"] = attributes_object(cell, op.attributes);
    result.append(entry);
  }
  return result;
}

nb::object keys_object(const std::shared_ptr<DocCell>& cell, const crdt::Event& event) {
  static constexpr const char* kActions[] = {"add", "update", "delete"};
  nb::dict keys;
  for (const auto& [key, change] : event.keys()) {
    nb::dict entry;
    entry["action"] = kActions[static_cast<int>(change.action)];
    if (change.action != crdt::KeyChange::Action::Add) {
      entry["oldValue"] = value_object(cell, change.old_value);
    }
    if (change.action != crdt::KeyChange::Action::Delete) {
      const crdt::Type& target = event.target();
      std::optional<crdt::Value> now = crdt::Map(target.document(), target.index()).get(key);
      entry["newValue"] = now ? value_object(cell, *now) : nb::none();
    }
    keys[text_object(key)] = entry;
  }
  return keys;
}

nb::object path_object(const crdt::Event& event) {
  nb::list path;
  for (const crdt::PathStep& step : event.path()) {
    if (const auto* key = std::get_if<std::string>(&step)) {
      path.append(text_object(*key));
    } else {
      path.append(std::get<uint32_t>(step));
    }
  }
  return path;
}

// The event as plain data: it outlives the transaction, as Python's users expect.
nb::object event_object(const std::shared_ptr<DocCell>& cell, crdt::Event& event) {
  const TypeKind kind = event.target().kind();
  const bool is_text = kind == TypeKind::Text || kind == TypeKind::XmlText;
  return (*make_event)(static_cast<int>(kind), type_object(cell, event.target()),
                       path_object(event), delta_object(cell, event.delta(), is_text),
                       keys_object(cell, event), origin_object(event.transaction().origin()),
                       event.transaction().local());
}

// --- Doc

uint64_t observe_update(const PyDoc& self, nb::object function, int version) {
  Callback callback(std::move(function));
  return self.cell->use().on_update(
      [callback](std::span<const uint8_t> update, crdt::Transaction& transaction) {
        callback([&](const nb::object& call) {
          call(bytes_object(update), origin_object(transaction.origin()), transaction.local());
        });
      },
      version_of(version));
}

uint64_t observe_subdocs(const PyDoc& self, nb::object function) {
  Callback callback(std::move(function));
  return self.cell->use().on_subdocs(
      [callback](const crdt::SubdocsEvent& event, crdt::Transaction&) {
        callback([&](const nb::object& call) {
          auto list = [](const std::vector<crdt::Doc>& docs) {
            nb::list result;
            for (const crdt::Doc& doc : docs) {
              result.append((*wrap_doc)(PyDoc{std::make_shared<DocCell>(doc)}));
            }
            return result;
          };
          call(list(event.added), list(event.removed), list(event.loaded));
        });
      });
}

PyDoc make_doc(uint64_t client_id, const std::string& guid, bool gc) {
  crdt::DocOptions options;
  options.client_id = client_id;
  options.guid = guid;
  options.gc = gc;
  return {std::make_shared<DocCell>(crdt::Doc(std::move(options)))};
}

void apply_update(const PyDoc& self, const nb::bytes& update, int version, nb::object origin) {
  const crdt::Doc& doc = self.cell->use();
  crdt::Origin from = origin_from(origin);
  Result<void> result;
  {
    Unlocked unlocked(*self.cell, update.size() >= kUnlockBytes);
    result = doc.apply_update(byte_span(update), version_of(version), std::move(from));
  }
  check(result);
}

// Many updates, one crossing, one transaction.
void apply_updates(const PyDoc& self, const nb::list& updates, int version, nb::object origin) {
  const crdt::Doc& doc = self.cell->use();
  const crdt::Origin from = origin_from(origin);
  std::vector<nb::bytes> held;
  for (nb::handle update : updates) held.push_back(nb::cast<nb::bytes>(update));
  Result<void> result;
  {
    Unlocked unlocked(*self.cell, true);
    crdt::Doc::Scope scope(doc, from, false);
    for (const nb::bytes& update : held) {
      const std::span<const uint8_t> bytes(static_cast<const uint8_t*>(update.data()),
                                           static_cast<size_t>(PyBytes_GET_SIZE(update.ptr())));
      result = doc.apply_update(bytes, version_of(version), from);
      if (!result) break;
    }
    scope.close();
  }
  check(result);
}

nb::bytes encode_update(const PyDoc& self, std::optional<nb::bytes> state, int version) {
  const crdt::Doc& doc = self.cell->use();
  const crdt::StateVector known = state_from(state);
  crdt::Bytes update;
  {
    Unlocked unlocked(*self.cell, doc.memory_used() >= 16 * kUnlockBytes);
    update = doc.encode_state_as_update(known, version_of(version));
  }
  return bytes_object(update);
}

// --- types: one crossing each

const Type& live(const SharedHandle& self) {
  self.cell->use();
  return self.type;
}
template <class T>
T as(const SharedHandle& self) {
  live(self);
  return T(self.type.document(), self.type.index());
}
using Map = crdt::Map;
using Array = crdt::Array;
using Text = crdt::Text;
using XmlFragment = crdt::XmlFragment;
using XmlElement = crdt::XmlElement;

std::string_view key_view(nb::handle key, std::string& scratch) {
  if (!PyUnicode_Check(key.ptr())) {
    PyErr_Format(PyExc_TypeError, "a key is a string, not %.100s", Py_TYPE(key.ptr())->tp_name);
    throw nb::python_error();
  }
  return text_view(key.ptr(), scratch);
}

crdt::NewType new_type(int kind, std::string name) {
  return {static_cast<TypeKind>(kind), std::move(name)};
}

bool map_set(const SharedHandle& self, nb::handle key, nb::handle value) {
  std::string scratch;
  const std::string_view name = key_view(key, scratch);
  std::optional<Any> plain = any_from(value.ptr());
  if (!plain) return false;
  as<Map>(self).set(name, std::move(*plain));
  return true;
}

// A dict of plain values in one transaction; False leaves everything to the caller.
bool map_update(const SharedHandle& self, nb::dict values) {
  std::optional<Any> plain = any_from(values.ptr());
  if (!plain) return false;
  const Map map = as<Map>(self);
  self.cell->doc.transact([&] {
    for (const auto& [key, value] : plain->as_object()) map.set(key, value);
  });
  return true;
}

nb::object map_get(const SharedHandle& self, nb::handle key, nb::handle fallback) {
  std::string scratch;
  std::optional<crdt::Value> value = as<Map>(self).get(key_view(key, scratch));
  return value ? value_object(self.cell, *value) : nb::borrow(fallback);
}

bool map_erase(const SharedHandle& self, nb::handle key) {
  std::string scratch;
  const std::string_view name = key_view(key, scratch);
  const Map map = as<Map>(self);
  if (!map.has(name)) return false;
  map.erase(name);
  return true;
}

nb::list map_keys(const SharedHandle& self) {
  nb::list keys;
  for (const std::string& key : as<Map>(self).keys()) keys.append(text_object(key));
  return keys;
}

nb::list map_items(const SharedHandle& self) {
  nb::list items;
  for (const auto& [key, value] : as<Map>(self).to_vector()) {
    items.append(nb::make_tuple(text_object(key), value_object(self.cell, value)));
  }
  return items;
}

bool array_insert(const SharedHandle& self, uint32_t index, nb::list values) {
  std::optional<Any> plain = any_from(values.ptr());
  if (!plain) return false;
  as<Array>(self).insert(index, plain->as_array());
  return true;
}

nb::list array_slice(const SharedHandle& self, uint32_t begin, uint32_t end) {
  nb::list result;
  for (const crdt::Value& value : as<Array>(self).slice(begin, end)) {
    result.append(value_object(self.cell, value));
  }
  return result;
}

void text_insert(const SharedHandle& self, uint32_t index, nb::handle value,
                 nb::handle attributes) {
  std::string scratch;
  if (!PyUnicode_Check(value.ptr())) throw nb::type_error("text is a string");
  const std::string_view text = text_view(value.ptr(), scratch);
  if (attributes.is_none()) {
    as<Text>(self).insert(index, text);
  } else {
    as<Text>(self).insert(index, text, attributes_from(attributes));
  }
}

// Edits (position, deleted, inserted), each its own transaction or all in one.
void text_edit(const SharedHandle& self, nb::list edits, bool in_one) {
  const Text text = as<Text>(self);
  std::optional<crdt::Doc::Scope> scope;
  if (in_one) scope.emplace(self.cell->doc, crdt::Origin{}, true);
  std::string scratch;
  for (nb::handle edit : edits) {
    PyObject* tuple = edit.ptr();
    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) != 3) {
      throw nb::type_error("an edit is a tuple (position, deleted, inserted)");
    }
    const auto position = nb::cast<uint32_t>(nb::handle(PyTuple_GET_ITEM(tuple, 0)));
    const auto deleted = nb::cast<uint32_t>(nb::handle(PyTuple_GET_ITEM(tuple, 1)));
    std::optional<crdt::Doc::Scope> one;
    if (!in_one) one.emplace(self.cell->doc, crdt::Origin{}, true);
    if (deleted != 0) text.erase(position, deleted);
    const std::string_view inserted = text_view(PyTuple_GET_ITEM(tuple, 2), scratch);
    if (!inserted.empty()) text.insert(position, inserted);
    if (one) one->close();
  }
  if (scope) scope->close();
}

nb::object text_embed(const SharedHandle& self, uint32_t index, nb::handle value,
                      nb::handle attributes) {
  std::optional<Any> plain = any_from(value.ptr());
  if (!plain) return nb::bool_(false);
  if (attributes.is_none()) {
    as<Text>(self).insert_embed(index, std::move(*plain));
  } else {
    const crdt::Attributes format = attributes_from(attributes);
    as<Text>(self).insert_embed(index, std::move(*plain), &format);
  }
  return nb::bool_(true);
}

void text_apply_delta(const SharedHandle& self, nb::list delta) {
  std::vector<crdt::DeltaOp> ops;
  for (nb::handle entry : delta) {
    nb::dict op = nb::cast<nb::dict>(entry);
    crdt::DeltaOp converted;
    if (op.contains("retain")) {
      converted.action = crdt::DeltaOp::Action::Retain;
      converted.count = nb::cast<uint32_t>(op["retain"]);
    } else if (op.contains("delete")) {
      converted.action = crdt::DeltaOp::Action::Delete;
      converted.count = nb::cast<uint32_t>(op["delete"]);
    } else if (op.contains("insert")) {
      converted.action = crdt::DeltaOp::Action::Insert;
      nb::object insert = op["insert"];
      if (PyUnicode_Check(insert.ptr())) {
        std::string scratch;
        converted.text = text_view(insert.ptr(), scratch);
      } else {
        std::optional<Any> plain = any_from(insert.ptr());
        if (!plain) throw nb::type_error("a delta inserts text or plain values");
        converted.values.emplace_back(std::move(*plain));
      }
    } else {
      throw nb::value_error("an entry of a delta has 'insert', 'retain' or 'delete'");
    }
    if (op.contains("attributes")) converted.attributes = attributes_from(op["attributes"]);
    ops.push_back(std::move(converted));
  }
  as<Text>(self).apply_delta(ops);
}

nb::list text_diff(const SharedHandle& self) {
  nb::list result;
  for (const crdt::DeltaOp& op : as<Text>(self).to_delta()) {
    nb::object insert = op.values.empty() ? nb::object(text_object(op.text))
                                          : value_object(self.cell, op.values.front());
    result.append(nb::make_tuple(insert, attributes_object(self.cell, op.attributes)));
  }
  return result;
}

nb::dict xml_attributes(const SharedHandle& self) {
  nb::dict result;
  const bool is_text = live(self).kind() == TypeKind::XmlText;
  const auto attributes = is_text ? as<Text>(self).attributes() : as<XmlElement>(self).attributes();
  for (const auto& [key, value] : attributes) {
    result[text_object(key)] = value_object(self.cell, value);
  }
  return result;
}

bool xml_set_attribute(const SharedHandle& self, const std::string& key, nb::handle value) {
  std::optional<Any> plain = any_from(value.ptr());
  if (!plain) return false;
  if (live(self).kind() == TypeKind::XmlText) {
    as<Text>(self).set_attribute(key, std::move(*plain));
  } else {
    as<XmlElement>(self).set_attribute(key, std::move(*plain));
  }
  return true;
}

void xml_erase_attribute(const SharedHandle& self, const std::string& key) {
  if (live(self).kind() == TypeKind::XmlText) {
    as<Text>(self).erase_attribute(key);
  } else {
    as<XmlElement>(self).erase_attribute(key);
  }
}

nb::str type_text(const SharedHandle& self) {
  std::string text;
  switch (live(self).kind()) {
    case TypeKind::Text:
      text = as<Text>(self).to_string();
      break;
    case TypeKind::XmlText:
      text = as<crdt::XmlText>(self).to_xml_string();
      break;
    default:
      text = as<XmlFragment>(self).to_string();
      break;
  }
  return text_object(text);
}

uint64_t observe_type(const SharedHandle& self, nb::object function, bool deep) {
  Callback callback(std::move(function));
  std::weak_ptr<DocCell> weak = self.cell;  // the document owns the observer
  if (!deep) {
    return live(self).observe([callback, weak](crdt::Event& event) {
      auto cell = weak.lock();
      if (cell == nullptr) return;
      callback([&](const nb::object& call) { call(event_object(cell, event)); });
    });
  }
  return live(self).observe_deep([callback, weak](std::span<crdt::Event> events) {
    auto cell = weak.lock();
    if (cell == nullptr) return;
    callback([&](const nb::object& call) {
      nb::list list;
      for (crdt::Event& event : events) list.append(event_object(cell, event));
      call(list);
    });
  });
}

struct PyUndo {
  std::shared_ptr<DocCell> cell;
  std::unique_ptr<crdt::UndoManager> manager;
  std::shared_ptr<nb::object> clock;

  crdt::UndoManager& use() const {
    cell->use();
    return *manager;
  }
};

}  // namespace

nb::object type_object(const std::shared_ptr<DocCell>& cell, const Type& type) {
  if (!type) return nb::none();
  return (*wrap_type)(SharedHandle{cell, type}, static_cast<int>(type.kind()));
}

nb::object value_object(const std::shared_ptr<DocCell>& cell, const crdt::Value& value) {
  if (value.is_any()) return any_object(value.any());
  if (value.is_type()) return type_object(cell, value.type());
  return (*wrap_doc)(PyDoc{std::make_shared<DocCell>(value.doc())});
}

}  // namespace lattice::python

void bind_crdt(nb::module_& module) {
  using namespace lattice::python;
  using lattice::DecodeError;
  wrap_type = new nb::object(nb::none());
  wrap_doc = new nb::object(nb::none());
  make_event = new nb::object(nb::none());

  module.def(
      "crdt_classes",
      [](nb::object type, nb::object doc, nb::object event) {
        *wrap_type = std::move(type);
        *wrap_doc = std::move(doc);
        *make_event = std::move(event);
      },
      nb::arg("type"), nb::arg("doc"), nb::arg("event"),
      "Called once by lattice.crdt: what handles, documents and events come out as.");

  nb::class_<PyTransaction>(module, "CrdtTransaction", "A transaction of a document. Private.")
      .def("enter", &PyTransaction::enter)
      .def("exit", &PyTransaction::exit)
      .def_prop_ro("origin", [](const PyTransaction& self) { return origin_object(self.origin); });

  nb::class_<PyDoc>(module, "CrdtDoc", "A document of lattice.crdt. Private.")
      .def(
          "__init__",
          [](PyDoc* self, uint64_t client_id, const std::string& guid, bool gc) {
            new (self) PyDoc(make_doc(client_id, guid, gc));
          },
          nb::arg("client_id") = 0, nb::arg("guid") = "", nb::arg("gc") = true)
      .def_prop_ro("client_id", [](const PyDoc& self) { return self.cell->use().client_id(); })
      .def_prop_ro("guid", [](const PyDoc& self) { return self.cell->use().guid(); })
      .def("same",
           [](const PyDoc& self, const PyDoc& other) { return self.cell->doc == other.cell->doc; })
      .def("key",
           [](const PyDoc& self) {
             return reinterpret_cast<uintptr_t>(self.cell->doc.document().get());
           })
      .def("root",
           [](const PyDoc& self, const std::string& name, int kind) {
             return SharedHandle{self.cell,
                                 self.cell->use().get(name, static_cast<TypeKind>(kind))};
           })
      .def("roots",
           [](const PyDoc& self) {
             nb::list roots;
             for (const auto& [name, type] : self.cell->use().roots()) {
               roots.append(nb::make_tuple(text_object(name), SharedHandle{self.cell, type},
                                           static_cast<int>(type.kind())));
             }
             return roots;
           })
      .def("to_json", [](const PyDoc& self) { return any_object(self.cell->use().to_json()); })
      .def(
          "begin",
          [](const PyDoc& self, nb::object origin) {
            return new PyTransaction{self.cell, origin_from(origin), std::nullopt};
          },
          nb::arg("origin").none())
      .def("in_transaction",
           [](const PyDoc& self) { return self.cell->use().current_transaction() != nullptr; })
      .def("apply_update", &apply_update, nb::arg("update"), nb::arg("version"),
           nb::arg("origin").none())
      .def("apply_updates", &apply_updates, nb::arg("updates"), nb::arg("version"),
           nb::arg("origin").none())
      .def("get_update", &encode_update, nb::arg("state").none(), nb::arg("version"))
      .def("get_state",
           [](const PyDoc& self) { return bytes_object(self.cell->use().encode_state_vector()); })
      .def("observe", &observe_update, nb::arg("callback"), nb::arg("version"))
      .def("observe_subdocs", &observe_subdocs)
      .def("unobserve", [](const PyDoc& self, uint64_t id) { self.cell->use().off(id); })
      .def("has_pending",
           [](const PyDoc& self) {
             const lattice::crdt::Doc& doc = self.cell->use();
             return doc.pending_structs().has_value() || doc.pending_delete_set().has_value();
           })
      .def("memory_used", [](const PyDoc& self) { return self.cell->use().memory_used(); });

  nb::class_<SharedHandle>(module, "CrdtType", "A shared type of a document. Private.")
      .def("key",
           [](const SharedHandle& self) {
             return nb::make_tuple(reinterpret_cast<uintptr_t>(self.type.document().get()),
                                   self.type.index());
           })
      .def("kind", [](const SharedHandle& self) { return static_cast<int>(live(self).kind()); })
      .def("deleted", [](const SharedHandle& self) { return live(self).deleted(); })
      .def("doc", [](const SharedHandle& self) { return PyDoc{self.cell}; })
      .def("parent",
           [](const SharedHandle& self) { return type_object(self.cell, live(self).parent()); })
      .def("root_name",
           [](const SharedHandle& self) { return text_object(live(self).root_name()); })
      .def("to_json", [](const SharedHandle& self) { return any_object(live(self).to_json()); })
      .def("observe", &observe_type, nb::arg("callback"), nb::arg("deep"))
      .def("unobserve", [](const SharedHandle& self, uint64_t id) { live(self).unobserve(id); })
      // Map
      .def("map_set", &map_set, nb::arg("key"), nb::arg("value").none())
      .def("map_update", &map_update)
      .def("map_get", &map_get, nb::arg("key"), nb::arg("fallback").none())
      .def("map_erase", &map_erase)
      .def("map_clear", [](const SharedHandle& self) { as<Map>(self).clear(); })
      .def("map_has",
           [](const SharedHandle& self, nb::handle key) {
             std::string scratch;
             return as<Map>(self).has(key_view(key, scratch));
           })
      .def("map_size", [](const SharedHandle& self) { return as<Map>(self).size(); })
      .def("map_keys", &map_keys)
      .def("map_items", &map_items)
      .def("map_set_type",
           [](const SharedHandle& self, const std::string& key, int kind, std::string name) {
             return SharedHandle{self.cell,
                                 as<Map>(self).set(key, new_type(kind, std::move(name)))};
           })
      .def("map_set_doc", [](const SharedHandle& self, const std::string& key,
                             const PyDoc& doc) { as<Map>(self).set(key, doc.cell->use()); })
      // Array
      .def("array_insert", &array_insert)
      .def("array_insert_type",
           [](const SharedHandle& self, uint32_t index, int kind, std::string name) {
             return SharedHandle{self.cell,
                                 as<Array>(self).insert(index, new_type(kind, std::move(name)))};
           })
      .def("array_insert_doc",
           [](const SharedHandle& self, uint32_t index, const PyDoc& doc) {
             as<Array>(self).insert(index, doc.cell->use());
           })
      .def("array_erase", [](const SharedHandle& self, uint32_t index,
                             uint32_t count) { as<Array>(self).erase(index, count); })
      .def("array_get",
           [](const SharedHandle& self, uint32_t index) {
             return value_object(self.cell, as<Array>(self).get(index));
           })
      .def("array_slice", &array_slice)
      .def("array_size", [](const SharedHandle& self) { return as<Array>(self).length(); })
      // Text
      .def("text_insert", &text_insert, nb::arg("index"), nb::arg("text"),
           nb::arg("attributes").none())
      .def("text_edit", &text_edit, nb::arg("edits"), nb::arg("in_one"))
      .def("text_erase", [](const SharedHandle& self, uint32_t index,
                            uint32_t count) { as<Text>(self).erase(index, count); })
      .def("text_format",
           [](const SharedHandle& self, uint32_t index, uint32_t count, nb::handle attributes) {
             as<Text>(self).format(index, count, attributes_from(attributes));
           })
      .def("text_embed", &text_embed, nb::arg("index"), nb::arg("value").none(),
           nb::arg("attributes").none())
      .def(
          "text_embed_type",
          [](const SharedHandle& self, uint32_t index, int kind, std::string name,
             nb::handle attributes, nb::callable fill) {
            lattice::crdt::Attributes given;
            if (!attributes.is_none()) given = attributes_from(attributes);
            as<Text>(self).insert_embed(
                index, new_type(kind, std::move(name)), attributes.is_none() ? nullptr : &given,
                [&](const Type& made) { fill(SharedHandle{self.cell, made}); });
          },
          nb::arg("index"), nb::arg("kind"), nb::arg("name"), nb::arg("attributes").none(),
          nb::arg("fill"))
      .def("text_apply_delta", &text_apply_delta)
      .def("text_diff", &text_diff)
      .def("text_size", [](const SharedHandle& self) { return as<Text>(self).length(); })
      .def("text", [](const SharedHandle& self) { return text_object(as<Text>(self).to_string()); })
      .def("markup", &type_text)
      // Xml
      .def("xml_size", [](const SharedHandle& self) { return as<XmlFragment>(self).length(); })
      .def("xml_insert",
           [](const SharedHandle& self, uint32_t index, int kind, std::string name) {
             return SharedHandle{
                 self.cell, as<XmlFragment>(self).insert(index, new_type(kind, std::move(name)))};
           })
      .def("xml_erase", [](const SharedHandle& self, uint32_t index,
                           uint32_t count) { as<XmlFragment>(self).erase(index, count); })
      .def("xml_get",
           [](const SharedHandle& self, uint32_t index) {
             return type_object(self.cell, as<XmlFragment>(self).get(index));
           })
      .def("xml_children",
           [](const SharedHandle& self) {
             nb::list children;
             for (const lattice::crdt::Type& child : as<XmlFragment>(self).children()) {
               children.append(type_object(self.cell, child));
             }
             return children;
           })
      .def("xml_tag",
           [](const SharedHandle& self) { return text_object(as<XmlElement>(self).node_name()); })
      .def("xml_attributes", &xml_attributes)
      .def("xml_set_attribute", &xml_set_attribute)
      .def("xml_erase_attribute", &xml_erase_attribute);

  module.def("crdt_merge", [](const nb::list& updates, int version) {
    std::vector<nb::bytes> held;
    std::vector<lattice::crdt::ByteView> views;
    for (nb::handle update : updates) {
      held.push_back(nb::cast<nb::bytes>(update));
      views.push_back(byte_span(held.back()));
    }
    auto merged = [&] {
      nb::gil_scoped_release release;
      return lattice::crdt::merge_updates(views, encoding_of(version));
    }();
    if (!merged) throw DecodeError(merged.error());
    return bytes_object(merged.value());
  });
  module.def("crdt_diff", [](const nb::bytes& update, const nb::bytes& state, int version) {
    auto diff =
        lattice::crdt::diff_update(byte_span(update), state_from(state), encoding_of(version));
    if (!diff) throw DecodeError(diff.error());
    return bytes_object(diff.value());
  });
  module.def("crdt_state_of", [](const nb::bytes& update, int version) {
    auto state = lattice::crdt::state_vector_of_update(byte_span(update), encoding_of(version));
    if (!state) throw DecodeError(state.error());
    return bytes_object(state.value().encode());
  });
  module.def("crdt_convert", [](const nb::bytes& update, int from, int to) {
    auto converted =
        lattice::crdt::convert_update(byte_span(update), encoding_of(from), encoding_of(to));
    if (!converted) throw DecodeError(converted.error());
    return bytes_object(converted.value());
  });

  module.def("crdt_position", [](const SharedHandle& type, uint32_t index, int32_t assoc) {
    return bytes_object(
        lattice::crdt::encode(lattice::crdt::make_relative_position(live(type), index, assoc)));
  });
  module.def("crdt_resolve", [](const PyDoc& doc, const nb::bytes& bytes) -> nb::object {
    auto position = lattice::crdt::decode_relative_position(byte_span(bytes));
    if (!position) throw DecodeError(position.error());
    auto found = lattice::crdt::resolve(position.value(), doc.cell->use());
    if (!found) return nb::none();
    return nb::make_tuple(type_object(doc.cell, found->type), found->index, found->assoc);
  });
  module.def("crdt_position_json", [](const nb::bytes& bytes) {
    auto position = lattice::crdt::decode_relative_position(byte_span(bytes));
    if (!position) throw DecodeError(position.error());
    return any_object(lattice::crdt::to_json(position.value()));
  });
  module.def("crdt_position_from_json", [](nb::handle json) {
    std::optional<lattice::crdt::Any> any = any_from(json.ptr());
    if (!any) throw nb::type_error("a position's JSON is a dict of plain values");
    auto position = lattice::crdt::relative_position_from_json(*any);
    if (!position) throw DecodeError(position.error());
    return bytes_object(lattice::crdt::encode(position.value()));
  });
  module.def("crdt_snapshot", [](const PyDoc& doc, int version) {
    return bytes_object(
        lattice::crdt::encode(lattice::crdt::take_snapshot(doc.cell->use()), version_of(version)));
  });
  module.def("crdt_restore", [](const PyDoc& doc, const nb::bytes& bytes, int version) {
    auto snapshot = lattice::crdt::decode_snapshot(byte_span(bytes), version_of(version));
    if (!snapshot) throw DecodeError(snapshot.error());
    return PyDoc{
        std::make_shared<DocCell>(lattice::crdt::restore(doc.cell->use(), snapshot.value()))};
  });

  nb::class_<PyUndo>(module, "CrdtUndoManager", "Undo of a document's changes. Private.")
      .def(
          "__init__",
          [](PyUndo* self, const PyDoc& doc, const std::vector<SharedHandle*>& scopes,
             int64_t capture_timeout_ms, nb::object clock, nb::list origins) {
            lattice::crdt::UndoOptions options;
            options.capture_timeout_ms = capture_timeout_ms;
            for (nb::handle origin : origins) {
              options.tracked_origins.push_back(origin_from(origin));
            }
            std::shared_ptr<nb::object> held;
            if (!clock.is_none()) {
              held = std::shared_ptr<nb::object>(new nb::object(std::move(clock)),
                                                 [](nb::object* object) {
                                                   nb::gil_scoped_acquire gil;
                                                   delete object;
                                                 });
              options.now_ms = [held] {
                nb::gil_scoped_acquire gil;
                return nb::cast<int64_t>((*held)());
              };
            }
            std::vector<lattice::crdt::Type> types;
            for (const SharedHandle* scope : scopes) types.push_back(scope->type);
            auto manager =
                types.empty()
                    ? std::make_unique<lattice::crdt::UndoManager>(doc.cell->use(), options)
                    : std::make_unique<lattice::crdt::UndoManager>(doc.cell->use(), types, options);
            new (self) PyUndo{doc.cell, std::move(manager), std::move(held)};
          },
          nb::arg("doc"), nb::arg("scopes"), nb::arg("capture_timeout_ms"), nb::arg("clock").none(),
          nb::arg("origins"))
      .def("add_scope",
           [](const PyUndo& self, const SharedHandle& type) { self.use().add_scope(type.type); })
      .def("include_origin",
           [](const PyUndo& self, nb::object origin) {
             self.use().add_tracked_origin(origin_from(origin));
           })
      .def("exclude_origin",
           [](const PyUndo& self, nb::object origin) {
             self.use().remove_tracked_origin(origin_from(origin));
           })
      .def("undo", [](const PyUndo& self) { return self.use().undo(); })
      .def("redo", [](const PyUndo& self) { return self.use().redo(); })
      .def("can_undo", [](const PyUndo& self) { return self.use().can_undo(); })
      .def("can_redo", [](const PyUndo& self) { return self.use().can_redo(); })
      .def("clear", [](const PyUndo& self) { self.use().clear(); })
      .def("stop_capturing", [](const PyUndo& self) { self.use().stop_capturing(); })
      .def("undo_depth", [](const PyUndo& self) { return self.use().undo_stack().size(); })
      .def("redo_depth", [](const PyUndo& self) { return self.use().redo_stack().size(); });
}
