// SPDX-License-Identifier: MIT
// libFuzzer target for apply_update: whatever a peer sends, the document stays whole.
//
// The first byte picks encoding, garbage collection and whether there is a document already; the
// rest is up to four updates, each with two bytes of length before it. Afterwards the document's
// own encodings must be readable, and a second document that applies them must be the same. A twin
// integrates struct by struct what the document may load at once: both must be equal to the byte.
//
//   build/fuzz/fuzz/crdt_apply_fuzz -max_total_time=60 -max_len=4096 -timeout=5
#include <cstdint>

#include "lattice/base/error.hpp"
#include "lattice/collab/crdt/doc.hpp"
#include "lattice/collab/crdt/update.hpp"

namespace {

using namespace lattice::crdt;

Doc make(ClientId client, bool gc) {
  DocOptions options;
  options.client_id = client;
  options.guid = "fuzz";
  options.gc = gc;
  return Doc(options);
}

// Something of everything, so that references in the input find their targets.
const Bytes& base_update() {
  static const Bytes kUpdate = [] {
    const Doc doc = make(1, false);
    const Text text = doc.text("text");
    text.insert(0, "hello wörld 😀");
    text.format(2, 4, {{"bold", true}});
    text.erase(3, 2);
    doc.array("array").insert(0, std::vector<Any>{1, "x", Any::null()});
    doc.map("map").set("k", 1);
    doc.map("map").set("k", 2);
    doc.xml_fragment("xml");
    return doc.encode_state_as_update();
  }();
  return kUpdate;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Encoding encoding = (data[0] & 1) != 0 ? Encoding::V2 : Encoding::V1;
  const Doc doc = make(77, (data[0] & 2) == 0);
  if ((data[0] & 4) != 0) LATTICE_ASSERT(doc.apply_update(base_update()).ok());
  size_t updates = 0;
  doc.on_update([&updates](std::span<const uint8_t> update, Transaction&) {
    LATTICE_ASSERT(update_meta(update).ok());
    ++updates;
  });
  const Doc twin = make(77, doc.gc());
  twin.on(DocEvent::BeforeTransaction, [](Transaction&) {});  // so it never loads
  if ((data[0] & 4) != 0) LATTICE_ASSERT(twin.apply_update(base_update()).ok());
  ByteView rest(data + 1, size - 1);
  for (int i = 0; i < 4 && rest.size() > 2; ++i) {
    const size_t wanted = static_cast<size_t>(rest[0]) << 8 | rest[1];
    const ByteView update = rest.subspan(2, std::min(wanted, rest.size() - 2));
    const bool applied = doc.apply_update(update, encoding).ok();
    LATTICE_ASSERT(twin.apply_update(update, encoding).ok() == applied);
    rest = rest.subspan(2 + update.size());
  }
  const Bytes v1 = doc.encode_state_as_update({}, Encoding::V1);
  const Bytes v2 = doc.encode_state_as_update({}, Encoding::V2);
  LATTICE_ASSERT(twin.encode_state_as_update() == v1);
  LATTICE_ASSERT(to_json(twin.to_json()) == to_json(doc.to_json()));
  const Doc first = make(78, doc.gc());
  const Doc second = make(79, doc.gc());
  LATTICE_ASSERT(first.apply_update(v1, Encoding::V1).ok());
  LATTICE_ASSERT(second.apply_update(v2, Encoding::V2).ok());
  LATTICE_ASSERT(first.state_vector() == second.state_vector());
  LATTICE_ASSERT(to_json(first.to_json()) == to_json(second.to_json()));
  static_cast<void>(doc.to_json());
  return 0;
}
