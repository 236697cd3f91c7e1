// SPDX-License-Identifier: MIT
#include "ui.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lattice/ui/session.hpp"
#include "reactive.hpp"
#include "session_state.hpp"
#include "vdom.hpp"

namespace nb = nanobind;

namespace lattice::python {

namespace {

// Imported once, kept for the life of the process (a leak on purpose: the interpreter may be gone
// when static destructors run).
struct Faces {
  nb::object component_element = nb::module_::import_("lattice.component").attr("ComponentElement");
  nb::object event = nb::module_::import_("lattice._events").attr("Event");
  nb::object file = nb::module_::import_("lattice._events").attr("File");
  nb::object listener = nb::module_::import_("lattice._events").attr("Listener");
  nb::object linked = nb::module_::import_("lattice._linked").attr("Linked");
  nb::object bound = nb::module_::import_("lattice._events").attr("Bound");
  nb::object wants_event = nb::module_::import_("lattice._events").attr("wants_event");
  nb::object write_edit = nb::module_::import_("lattice._events").attr("write_edit");
  nb::object refuse_generator = nb::module_::import_("lattice._events").attr("refuse_generator");
  nb::object start_handler = nb::module_::import_("lattice._async").attr("start_handler");
};

const Faces& faces() {
  static const auto* made = new Faces();
  return *made;
}

vdom::VNode lower_into(nb::handle tree, ui::SlotArena& arena);

// What is being loaded is not shown yet: whoever read it is run again when it is there.
template <class Read>
nb::object when_ready(Read&& read) {
  try {
    return read();
  } catch (nb::python_error& error) {
    if (!is_not_ready(error.value().ptr())) throw;
    return nb::none();
  }
}

// ---- Bindings -----------------------------------------------------------------------------------

// A signal, a memo, a lt.bind(...) or a callable.
class PyBinding final : public ui::Binding {
 public:
  PyBinding(nb::object source, std::string tag) : source_(std::move(source)), tag_(std::move(tag)) {
    is_bound_ = nb::isinstance(source_, faces().bound);
    is_linked_ = nb::isinstance(source_, faces().linked);
  }

  vdom::VNode content(ui::SlotArena& arena) override {
    return lower_into(when_ready([this] { return read(); }), arena);
  }

  vdom::Value value(std::string_view name) override {
    nb::object present = when_ready([this] { return read(); });
    if (tag_ == "select" && name == "value" && nb::isinstance<nb::list>(present)) {
      return vdom::Value(nb::cast<std::string>(nb::str("\n").attr("join")(present)));
    }
    vdom::Value value;
    if (to_value(present.ptr(), value)) return value;
    std::string message =
        "the value bound to " + std::string(name) + "= of <" + tag_ + "> is a " +
        nb::cast<std::string>(nb::str(nb::handle(present.type()).attr("__name__"))) +
        "; an attribute takes text, a number, a bool or None";
    PyErr_SetString(PyExc_TypeError, message.c_str());
    throw nb::python_error();
  }

  bool same_source(const ui::Binding& next) const override {
    const auto* other = dynamic_cast<const PyBinding*>(&next);
    // A callable from a later render may capture other values: only signals and memos are the same.
    return other != nullptr && !is_bound_ && !other->is_bound_ &&
           (is_linked_ || is_readable(source_.ptr())) && source_.is(other->source_);
  }

  bool writable() const override { return is_bound_ || is_linked_ || is_signal(source_.ptr()); }

  bool write(const ui::Edit& edit) override;

 private:
  nb::object read() const {
    if (is_bound_) return source_.attr("read")();
    if (!is_readable(source_.ptr())) return source_();
    PyObject* value = read_tracked(source_.ptr());
    if (value == nullptr) throw nb::python_error();
    return nb::steal(value);
  }

  nb::object source_;
  nb::object type_ = nb::none();  // of the last value that was not None, of one that is writable
  std::string tag_;
  bool is_bound_ = false;
  bool is_linked_ = false;
};

// ---- Events -------------------------------------------------------------------------------------

void set_modifiers(nb::dict& fields, uint8_t modifiers) {
  fields["alt"] = (modifiers & 1) != 0;
  fields["ctrl"] = (modifiers & 2) != 0;
  fields["meta"] = (modifiers & 4) != 0;
  fields["shift"] = (modifiers & 8) != 0;
  fields["repeat"] = (modifiers & 16) != 0;
}

nb::object to_python(const vdom::ClientEvent& event) {
  nb::dict fields;
  fields["type"] = event.type;
  if (event.value) fields["value"] = *event.value;
  if (event.checked) fields["checked"] = *event.checked;
  if (event.key) {
    fields["key"] = event.key->key;
    set_modifiers(fields, event.key->modifiers);
  }
  if (event.mouse) {
    fields["x"] = event.mouse->x;
    fields["y"] = event.mouse->y;
    fields["button"] = event.mouse->button;
    set_modifiers(fields, event.mouse->modifiers);
  }
  if (event.files) {
    nb::list files;
    for (const vdom::FileField& file : *event.files) {
      files.append(faces().file(file.name, file.bytes, file.mime_type));
    }
    fields["files"] = nb::tuple(files);
  }
  if (event.selected) fields["selected"] = nb::tuple(nb::cast(*event.selected));
  if (event.form) {
    nb::dict form;
    for (const auto& [name, value] : *event.form) form[name.c_str()] = value;
    fields["form"] = form;
  }
  if (event.open) fields["open"] = *event.open;
  if (event.scroll) {
    fields["scroll"] = nb::make_tuple(event.scroll->left, event.scroll->top);
  }
  return faces().event(**fields);
}

bool PyBinding::write(const ui::Edit& edit) {
  PyObject* peeked = is_bound_ || is_linked_ ? nb::object(source_.attr("peek")()).release().ptr()
                                             : peek(source_.ptr());
  if (peeked == nullptr) throw nb::python_error();
  nb::object present = nb::steal(peeked);
  // A number field is None while it is empty; what it holds again must be what it held before.
  if (!present.is_none()) type_ = nb::borrow(present.type());
  nb::object is_written = faces().write_edit(
      source_, type_, nb::str(edit.attribute.data(), edit.attribute.size()),
      nb::str(edit.input_type.data(), edit.input_type.size()), to_python(edit.event));
  return nb::cast<bool>(is_written);
}

// Whether a plain Python function has a required positional parameter; others are inspected.
bool wants_event(nb::handle handler) {
  PyObject* callable = handler.ptr();
  Py_ssize_t bound = 0;
  if (PyMethod_Check(callable)) {
    callable = PyMethod_GET_FUNCTION(callable);
    bound = 1;
  }
  if (!PyFunction_Check(callable)) return nb::cast<bool>(faces().wants_event(handler));
  auto* code = reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(callable));
  PyObject* defaults = PyFunction_GET_DEFAULTS(callable);
  Py_ssize_t defaulted = defaults != nullptr ? PyTuple_GET_SIZE(defaults) : 0;
  return code->co_argcount - bound - defaulted > 0;
}

// What an async handler keeps of its event: until it ends, the session's next event waits.
class EventHold {
 public:
  EventHold(const vdom::ClientEvent& event, bool is_concurrent)
      : session_(ui::Session::current()),
        runtime_(&session_->runtime()),
        node_(event.node),
        type_(event.type),
        is_concurrent_(is_concurrent) {}

  void hold() {
    if (!is_concurrent_) session_->hold_events();
  }
  // With the session's runtime current; else the session is gone.
  void release() {
    if (!is_concurrent_ && is_here()) session_->release_events();
  }
  void fail(nb::handle exception) {
    if (is_here()) session_->report_handler_error(to_exception_ptr(exception.ptr()), node_, type_);
  }

 private:
  bool is_here() const { return Runtime::current_or_null() == runtime_; }

  ui::Session* session_;
  Runtime* runtime_;
  uint32_t node_;
  std::string type_;
  bool is_concurrent_;
};

class PyHandler final : public ui::Handler {
 public:
  explicit PyHandler(nb::object handler) : handler_(std::move(handler)) {
    if (!nb::isinstance(handler_, faces().listener)) return;
    options_.debounce_ms = nb::cast<uint32_t>(handler_.attr("debounce_ms"));
    options_.throttle_ms = nb::cast<uint32_t>(handler_.attr("throttle_ms"));
    options_.prevent_default = nb::cast<bool>(handler_.attr("prevent_default"));
    options_.stop_propagation = nb::cast<bool>(handler_.attr("stop_propagation"));
    options_.keys = nb::cast<std::vector<std::string>>(handler_.attr("keys"));
    is_concurrent_ = nb::cast<bool>(handler_.attr("concurrent"));
    handler_ = handler_.attr("handler");
  }

  void call(const vdom::ClientEvent& event) override {
    nb::object handler = handler_;
    nb::object result = wants_event(handler) ? handler(to_python(event)) : handler();
    if (PyCoro_CheckExact(result.ptr())) {
      faces().start_handler(handler, result, EventHold(event, is_concurrent_));
    } else if (PyGen_CheckExact(result.ptr()) || PyAsyncGen_CheckExact(result.ptr())) {
      faces().refuse_generator(handler, result);
    }
  }

  vdom::ListenOptions options() const override { return options_; }

 private:
  nb::object handler_;
  vdom::ListenOptions options_;
  bool is_concurrent_ = false;
};

// ---- Components ---------------------------------------------------------------------------------

class PyInstance final : public ui::Instance {
 public:
  explicit PyInstance(nb::object element)
      : element_(std::move(element)), state_(element_.attr("_new_state")()) {}

  vdom::VNode render(ui::SlotArena& arena) override {
    nb::object tree;
    {
      RenderingGuard rendering(nb::cast<std::string>(element_.attr("component").attr("__name__")));
      tree = when_ready([this] { return nb::object(element_.attr("_render")(state_)); });
    }
    return lower_into(tree, arena);
  }

  // Whether other props came.
  bool set_element(nb::object element) {
    if (element.is(element_)) return false;
    bool same = nb::cast<bool>(element_.attr("_same_props")(element));
    element_ = std::move(element);
    return !same;
  }

 private:
  nb::object element_;
  nb::object state_;
};

class PyComponent final : public ui::Component {
 public:
  explicit PyComponent(nb::object element)
      : element_(std::move(element)),
        component_(element_.attr("component")),
        name_(nb::cast<std::string>(component_.attr("__name__"))) {}

  std::string_view name() const override { return name_; }
  bool same_component(const ui::Component& next) const override {
    const auto* other = dynamic_cast<const PyComponent*>(&next);
    return other != nullptr && component_.is(other->component_);
  }
  uint64_t type_token() const override {
    return reinterpret_cast<uintptr_t>(component_.ptr()) >> 4;
  }
  std::unique_ptr<ui::Instance> instantiate() override {
    return std::make_unique<PyInstance>(element_);
  }
  bool update(ui::Instance& instance) override {
    return static_cast<PyInstance&>(instance).set_element(element_);
  }

 private:
  nb::object element_;
  nb::object component_;
  std::string name_;
};

// ---- Lowering -----------------------------------------------------------------------------------

std::optional<vdom::Key> key_of(nb::handle element) {
  nb::object key = element.attr("key");
  if (key.is_none()) return std::nullopt;
  if (PyLong_Check(key.ptr())) return vdom::Key{nb::cast<int64_t>(key)};
  return vdom::Key{nb::cast<std::string>(nb::str(key))};
}

class ArenaSink final : public SlotSink {
 public:
  explicit ArenaSink(ui::SlotArena& arena) : arena_(arena) {}

  vdom::VNode child(PyObject* object) override {
    nb::object borrowed = nb::borrow(object);
    if (nb::isinstance(borrowed, faces().component_element)) {
      return vdom::VNode::slot(arena_.add(std::make_unique<PyComponent>(borrowed)),
                               key_of(borrowed));
    }
    require_source(borrowed, "a child");
    return vdom::VNode::slot(arena_.add(std::make_unique<PyBinding>(borrowed, std::string())));
  }

  vdom::Value attribute(std::string_view tag, std::string_view name, PyObject* object) override {
    nb::object borrowed = nb::borrow(object);
    if (name.starts_with("on_")) return arena_.add(std::make_unique<PyHandler>(borrowed));
    require_source(borrowed, name);
    return arena_.add(std::make_unique<PyBinding>(borrowed, std::string(tag)));
  }

 private:
  static void require_source(const nb::object& object, std::string_view place) {
    if (is_readable(object.ptr()) || PyCallable_Check(object.ptr()) != 0 ||
        nb::isinstance(object, faces().bound)) {
      return;
    }
    std::string message =
        std::string(place) + " cannot be a " +
        nb::cast<std::string>(nb::str(nb::handle(object.type()).attr("__name__")));
    PyErr_SetString(PyExc_TypeError, message.c_str());
    throw nb::python_error();
  }

  ui::SlotArena& arena_;
};

vdom::VNode lower_into(nb::handle tree, ui::SlotArena& arena) {
  ArenaSink sink(arena);
  return lower(tree.ptr(), sink);
}

}  // namespace

std::exception_ptr to_exception_ptr(PyObject* exception) {
  try {
    raise_again(Py_NewRef(exception));
    throw nb::python_error();
  } catch (...) {
    return std::current_exception();
  }
}

std::unique_ptr<ui::Component> make_component(nb::object element) {
  if (!nb::isinstance(element, faces().component_element)) {
    PyErr_SetString(PyExc_TypeError,
                    "a page is made of a component; decorate it with @lt.component");
    throw nb::python_error();
  }
  return std::make_unique<PyComponent>(std::move(element));
}

}  // namespace lattice::python

void bind_ui(nb::module_& module) {
  using lattice::python::EventHold;
  nb::class_<EventHold>(module, "EventHold", "The event whose async handler is not over.")
      .def("hold", &EventHold::hold, "The next event waits, until release().")
      .def("release", &EventHold::release)
      .def("fail", &EventHold::fail, nb::arg("exception"), "Shows what the handler raised.");
}
