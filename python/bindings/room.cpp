// SPDX-License-Identifier: MIT
// lattice._core.Room: one replica of a room, in the runtime in which it was made.
//
// lattice.collab finds the replica of the current session; here each use checks that it is in its
// own runtime. What arrives comes by the runtime's mailbox, with the GIL; for an asyncio loop that
// sleeps there is a file descriptor that becomes readable.
#include "room.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmath>
#include <utility>

#include "crdt_values.hpp"
#include "lattice/app/room_connection.hpp"
#include "lattice/collab/room.hpp"
#include "lattice/reactive/runtime.hpp"

namespace nb = nanobind;

namespace lattice::python {

namespace {

using crdt::Any;

std::shared_ptr<app::RoomHub>& hub_place() {
  static auto* hub = new std::shared_ptr<app::RoomHub>;
  return *hub;
}

// One I/O thread for all rooms that scripts connect; it starts with the first.
const std::shared_ptr<net::ClientLoop>& client_loop() {
  static auto* loop = new std::shared_ptr<net::ClientLoop>(std::make_shared<net::ClientLoop>());
  return *loop;
}

// Readable once something has arrived; closed with its last holder.
class WakeFile {
 public:
  WakeFile() : file_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (file_ < 0) throw Error("no file descriptor is left for the room's connection");
  }
  ~WakeFile() { ::close(file_); }
  WakeFile(const WakeFile&) = delete;
  WakeFile& operator=(const WakeFile&) = delete;
  int number() const noexcept { return file_; }
  void ring() const noexcept {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(file_, &one, sizeof(one));
  }
  void silence() const noexcept {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t read = ::read(file_, &count, sizeof(count));
  }

 private:
  const int file_;
};

class PyRoom {
 public:
  PyRoom(const std::string& room_id, uint64_t client_id)
      : runtime_(&Runtime::current()),
        mailbox_(runtime_->shared_mailbox()),
        room_(std::in_place, room_id, RoomSettings{client_id, true, 500, {}}),
        cell_(std::make_shared<DocCell>(room_->doc())) {}

  // The graph belongs to its runtime: whoever drops the last reference elsewhere leaves it there.
  ~PyRoom() {
    if (Runtime::current_or_null() == runtime_) return;
    auto room = std::make_shared<std::optional<Room>>(std::move(room_));
    room_.reset();
    mailbox_->post([room] { room->reset(); });
  }
  PyRoom(const PyRoom&) = delete;
  PyRoom& operator=(const PyRoom&) = delete;

  const Room& use() const {
    if (Runtime::current_or_null() != runtime_) {
      throw AccessError("room '" + room_->room_id() +
                        "' is used outside of the session or thread that it belongs to; post to "
                        "that one with lt.in_session(fn)");
    }
    cell_->use();
    return *room_;
  }
  const std::shared_ptr<DocCell>& cell() const noexcept { return cell_; }

  void connect(const std::string& url, double wait_max) {
    const Room& room = use();
    if (!wake_) wake_ = std::make_shared<WakeFile>();
    room.state()->also_wake = [wake = wake_] { wake->ring(); };
    ConnectOptions options;
    options.loop = client_loop();
    options.wait_max = std::chrono::milliseconds(static_cast<int64_t>(wait_max * 1000));
    lattice::connect(room, url, std::move(options));
  }
  int wake_file() const { return wake_ ? wake_->number() : -1; }
  // What has arrived, for a loop that was woken.
  void drain() {
    if (wake_) wake_->silence();
    const reactive::Graph& graph = runtime_->graph();
    if (Runtime::current_or_null() != runtime_) return;
    if (graph.idle() || (graph.defers_flushes() && !graph.running())) runtime_->drain_mailbox();
  }

  void join() {
    const Room& room = use();
    if (hub_place() == nullptr) throw AccessError("no app is being served");
    app::Joining joining(room, hub_place(), app::RoomAccess::Write);
    {
      nb::gil_scoped_release release;
      joining.ask();
    }
    joining.finish();
  }

 private:
  Runtime* const runtime_;
  const std::shared_ptr<Mailbox> mailbox_;
  std::optional<Room> room_;  // always there, but for the destructor
  std::shared_ptr<DocCell> cell_;
  std::shared_ptr<WakeFile> wake_;
};

Any plain_from(nb::handle value) {
  std::optional<Any> plain = any_from(value.ptr());
  if (plain) return std::move(*plain);
  PyErr_Format(PyExc_TypeError,
               "a %.100s has no place in a room: use None, bool, int, float, str, bytes, lists and "
               "dicts of those",
               Py_TYPE(value.ptr())->tp_name);
  throw nb::python_error();
}

// Values of which types a signal takes: a bit for each Any::Kind.
uint32_t kinds_of(nb::handle type) {
  auto bit = [](Any::Kind kind) { return 1u << static_cast<unsigned>(kind); };
  PyObject* object = type.ptr();
  if (object == Py_None) return ~0u;
  if (object == reinterpret_cast<PyObject*>(&PyBool_Type)) return bit(Any::Kind::Boolean);
  if (object == reinterpret_cast<PyObject*>(&PyLong_Type)) {
    return bit(Any::Kind::Number) | bit(Any::Kind::BigInt);
  }
  if (object == reinterpret_cast<PyObject*>(&PyFloat_Type)) return bit(Any::Kind::Number);
  if (object == reinterpret_cast<PyObject*>(&PyUnicode_Type)) return bit(Any::Kind::String);
  if (object == reinterpret_cast<PyObject*>(&PyBytes_Type)) return bit(Any::Kind::Bytes);
  if (object == reinterpret_cast<PyObject*>(&PyList_Type)) return bit(Any::Kind::Array);
  if (object == reinterpret_cast<PyObject*>(&PyDict_Type)) return bit(Any::Kind::Object);
  throw nb::type_error("type is one of bool, int, float, str, bytes, list, dict");
}

bool is_whole(double number) { return number == std::floor(number) && std::fabs(number) < 9e15; }

struct PyRoomSignal {
  PyRoom* room;  // kept by Python (keep_alive)
  CollaborativeSignal<Any> signal;
  uint32_t kinds;
  bool whole;

  static bool takes(const Any& value, uint32_t kinds, bool whole) {
    if ((kinds >> static_cast<unsigned>(value.kind()) & 1) == 0) return false;
    return !whole || value.kind() != Any::Kind::Number || is_whole(value.as_number());
  }
  void set(nb::handle value) const {
    room->use();
    Any plain = plain_from(value);
    if (!takes(plain, kinds, whole)) {
      PyErr_Format(PyExc_TypeError, "'%s' of the room does not take a %.100s", signal.key().c_str(),
                   Py_TYPE(value.ptr())->tp_name);
      throw nb::python_error();
    }
    signal.set(std::move(plain));
  }
};

struct PyRoomCounter {
  PyRoom* room;
  SharedCounter counter;
};
struct PyRoomText {
  PyRoom* room;
  SharedText text;
};
struct PyRoomList {
  PyRoom* room;
  SharedList list;
};
struct PyRoomMap {
  PyRoom* room;
  SharedMap map;
};

nb::object number_object(double number) { return any_object(Any(number)); }

nb::dict presence_object(const PyRoom& self) {
  nb::dict result;
  for (const auto& [client, json] : self.use().presence()) {
    Result<Any> value = crdt::parse_json(json);
    result[nb::int_(client)] = value ? any_object(value.value()) : nb::none();
  }
  return result;
}

void set_presence(const PyRoom& self, nb::handle value) {
  if (value.is_none()) return self.use().set_local_presence(std::nullopt);
  std::optional<std::string> json = crdt::to_json(plain_from(value));
  if (!json) throw nb::type_error("presence travels as JSON: no bytes, no ints beyond 2**53");
  self.use().set_local_presence(std::move(json));
}

nb::list any_list(const std::vector<Any>& values) {
  nb::list result;
  for (const Any& value : values) result.append(any_object(value));
  return result;
}

}  // namespace

void set_room_hub(std::shared_ptr<app::RoomHub> hub) { hub_place() = std::move(hub); }
const std::shared_ptr<app::RoomHub>& room_hub() { return hub_place(); }

}  // namespace lattice::python

void bind_room(nb::module_& module) {
  using namespace lattice::python;
  using lattice::crdt::Any;
  using Keep = nb::keep_alive<0, 1>;

  nb::class_<PyRoomSignal>(module, "RoomSignal", "A shared value. Private.")
      .def("get",
           [](const PyRoomSignal& self) {
             self.room->use();
             return any_object(self.signal.get());
           })
      .def("peek",
           [](const PyRoomSignal& self) {
             self.room->use();
             return any_object(self.signal.peek());
           })
      .def("set", &PyRoomSignal::set, nb::arg("value").none());

  nb::class_<PyRoomCounter>(module, "RoomCounter", "A shared counter. Private.")
      .def("get",
           [](const PyRoomCounter& self) {
             self.room->use();
             return number_object(self.counter.get());
           })
      .def("peek",
           [](const PyRoomCounter& self) {
             self.room->use();
             return number_object(self.counter.peek());
           })
      .def("increment", [](const PyRoomCounter& self, double by) {
        self.room->use();
        self.counter.increment(by);
      });

  nb::class_<PyRoomText>(module, "RoomText", "Shared text. Private.")
      .def("get",
           [](const PyRoomText& self) {
             self.room->use();
             return text_object(self.text.get());
           })
      .def("peek",
           [](const PyRoomText& self) {
             self.room->use();
             return text_object(self.text.text().to_string());
           })
      .def("size",
           [](const PyRoomText& self) {
             self.room->use();
             return self.text.length();
           })
      .def("insert",
           [](const PyRoomText& self, uint32_t index, nb::str text) {
             self.room->use();
             std::string scratch;
             self.text.insert(index, text_view(text.ptr(), scratch));
           })
      .def("erase",
           [](const PyRoomText& self, uint32_t index, uint32_t count) {
             self.room->use();
             self.text.erase(index, count);
           })
      .def("set", [](const PyRoomText& self, nb::str text) {
        self.room->use();
        std::string scratch;
        self.text.set(text_view(text.ptr(), scratch));
      });

  nb::class_<PyRoomList>(module, "RoomList", "A shared list. Private.")
      .def("get",
           [](const PyRoomList& self) {
             self.room->use();
             return self.list.items().with(any_list);
           })
      .def("at",
           [](const PyRoomList& self, size_t index) {
             self.room->use();
             return any_object(self.list.at(index));
           })
      .def("size",
           [](const PyRoomList& self) {
             self.room->use();
             return self.list.size();
           })
      .def(
          "insert",
          [](const PyRoomList& self, size_t index, nb::handle value) {
            self.room->use();
            self.list.insert(index, plain_from(value));
          },
          nb::arg("index"), nb::arg("value").none())
      .def("erase", [](const PyRoomList& self, size_t index, size_t count) {
        self.room->use();
        self.list.erase(index, count);
      });

  nb::class_<PyRoomMap>(module, "RoomMap", "A shared dictionary. Private.")
      .def(
          "get",
          [](const PyRoomMap& self, const std::string& key, nb::object fallback) {
            self.room->use();
            std::optional<Any> value = self.map.get(key);
            return value ? any_object(*value) : fallback;
          },
          nb::arg("key"), nb::arg("fallback").none())
      .def("keys",
           [](const PyRoomMap& self) {
             self.room->use();
             nb::list keys;
             for (const std::string& key : self.map.keys()) keys.append(text_object(key));
             return keys;
           })
      .def("size",
           [](const PyRoomMap& self) {
             self.room->use();
             return self.map.size();
           })
      .def(
          "set",
          [](const PyRoomMap& self, const std::string& key, nb::handle value) {
            self.room->use();
            self.map.set(key, plain_from(value));
          },
          nb::arg("key"), nb::arg("value").none())
      .def("erase", [](const PyRoomMap& self, const std::string& key) {
        self.room->use();
        self.map.erase(key);
      });

  nb::class_<PyRoom>(module, "Room", "A replica of a room. Use lattice.Room.")
      .def(nb::init<const std::string&, uint64_t>(), nb::arg("room_id"), nb::arg("client_id") = 0)
      .def_prop_ro("client_id", [](const PyRoom& self) { return self.use().client_id(); })
      .def("doc",
           [](const PyRoom& self) {
             self.use();
             return PyDoc{self.cell()};
           })
      .def("connected", [](const PyRoom& self) { return self.use().connected(); })
      .def("synced", [](const PyRoom& self) { return self.use().synced(); })
      .def("peek_synced", [](const PyRoom& self) { return self.use().state()->synced.peek(); })
      .def("trouble", [](const PyRoom& self) { return self.use().trouble(); })
      .def("peek_trouble", [](const PyRoom& self) { return self.use().state()->trouble.peek(); })
      .def("dropped", [](const PyRoom& self) { return self.use().dropped(); })
      .def("presence", &presence_object)
      .def("set_presence", &set_presence, nb::arg("value").none())
      .def(
          "signal",
          [](PyRoom& self, const std::string& key, nb::handle initial, nb::handle type) {
            const uint32_t kinds = kinds_of(type);
            const bool whole = type.ptr() == reinterpret_cast<PyObject*>(&PyLong_Type);
            PyRoomSignal rules{&self,
                               self.use().signal<Any>(key, plain_from(initial),
                                                      [kinds, whole](const Any& value) {
                                                        return PyRoomSignal::takes(value, kinds,
                                                                                   whole);
                                                      }),
                               kinds, whole};
            return rules;
          },
          nb::arg("key"), nb::arg("initial").none(), nb::arg("type").none(), Keep())
      .def(
          "counter",
          [](PyRoom& self, const std::string& key) {
            return PyRoomCounter{&self, self.use().counter(key)};
          },
          Keep())
      .def(
          "text",
          [](PyRoom& self, const std::string& key) {
            return PyRoomText{&self, self.use().text(key)};
          },
          Keep())
      .def(
          "list",
          [](PyRoom& self, const std::string& key) {
            return PyRoomList{&self, self.use().list(key)};
          },
          Keep())
      .def(
          "map",
          [](PyRoom& self, const std::string& key) {
            return PyRoomMap{&self, self.use().map(key)};
          },
          Keep())
      .def("commit", [](const PyRoom& self) { self.use().state()->commit(); })
      .def(
          "get_update",
          [](const PyRoom& self, std::optional<nb::bytes> state) {
            lattice::crdt::StateVector known;
            if (state) {
              auto decoded = lattice::crdt::StateVector::decode(byte_span(*state));
              if (!decoded) throw lattice::DecodeError(decoded.error());
              known = std::move(decoded).value();
            }
            return bytes_object(self.use().get_update(known));
          },
          nb::arg("state").none())
      .def("apply_update",
           [](const PyRoom& self, const nb::bytes& update) {
             lattice::Result<void> applied = self.use().apply_update(byte_span(update));
             if (!applied) throw lattice::DecodeError(applied.error());
           })
      .def("undo", [](const PyRoom& self) { return self.use().undo(); })
      .def("redo", [](const PyRoom& self) { return self.use().redo(); })
      .def("can_undo",
           [](const PyRoom& self) {
             self.use().state()->commit();
             return self.use().state()->can_undo();
           })
      .def("can_redo", [](const PyRoom& self) { return self.use().state()->can_redo(); })
      .def("connect", &PyRoom::connect, nb::arg("url"), nb::arg("wait_max") = 5.0)
      .def("disconnect", [](const PyRoom& self) { lattice::disconnect(self.use()); })
      .def("join", &PyRoom::join)
      .def("wake_file", &PyRoom::wake_file)
      .def("drain", &PyRoom::drain);

  module.def(
      "is_serving_rooms", [] { return room_hub() != nullptr; },
      "Whether an app is being served in this process.");
}
