// SPDX-License-Identifier: MIT
// Values and documents of lattice.crdt across the border.
//
// A Python number that is integral comes back as an int, others as floats: JavaScript, whose values
// these are, has one kind of number. Text that is no valid UTF-8 (lone surrogates) passes as
// "surrogatepass" has it.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "lattice/base/error.hpp"
#include "lattice/collab/crdt/doc.hpp"

namespace lattice::python {

// A document with the thread that works on it while the GIL is released.
struct DocCell {
  explicit DocCell(crdt::Doc the_doc) : doc(std::move(the_doc)) {}
  crdt::Doc doc;
  std::thread::id busy;  // default: nobody

  // Throws AccessError while another thread integrates or encodes.
  const crdt::Doc& use() const {
    if (busy != std::thread::id() && busy != std::this_thread::get_id()) [[unlikely]] {
      throw AccessError(
          "this document is being worked on by another thread; a document belongs to one thread "
          "at a time");
    }
    return doc;
  }
};

// For its lifetime the GIL is released and the document is this thread's. Small work is not worth
// it: `is_worth` false does nothing.
class Unlocked {
 public:
  Unlocked(DocCell& cell, bool is_worth);
  ~Unlocked();
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  DocCell& cell_;
  PyThreadState* state_ = nullptr;
};

struct PyDoc {
  std::shared_ptr<DocCell> cell;
};

// A shared type of a document: what the classes of lattice.crdt hold.
struct SharedHandle {
  std::shared_ptr<DocCell> cell;
  crdt::Type type;
};

// UTF-8 (WTF-8 for lone surrogates). Throws nb::python_error for what is no str.
std::string_view text_view(PyObject* text, std::string& scratch);
// New reference; throws.
nanobind::str text_object(std::string_view text);

// Nothing for an object that is no plain value (a shared type, a document, one's own class);
// throws ValueError for what nests too deep, OverflowError for an int beyond 64 bit.
std::optional<crdt::Any> any_from(PyObject* object);
nanobind::object any_object(const crdt::Any& value);
nanobind::object value_object(const std::shared_ptr<DocCell>& cell, const crdt::Value& value);
nanobind::object type_object(const std::shared_ptr<DocCell>& cell, const crdt::Type& type);
// A dict, or None for null; throws TypeError for values that are not plain.
crdt::Attributes attributes_from(nanobind::handle dict);
nanobind::object attributes_object(const std::shared_ptr<DocCell>& cell,
                                   const crdt::Attributes& attributes);

crdt::Origin origin_from(nanobind::handle object);
nanobind::object origin_object(const crdt::Origin& origin);

inline std::span<const uint8_t> byte_span(const nanobind::bytes& bytes) {
  return {static_cast<const uint8_t*>(bytes.data()), bytes.size()};
}
inline nanobind::bytes bytes_object(std::span<const uint8_t> bytes) {
  return nanobind::bytes(bytes.data(), bytes.size());
}

}  // namespace lattice::python
