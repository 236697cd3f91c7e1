// SPDX-License-Identifier: MIT
// Observers and document events. An event of the engine lives as long as its callback: the handle
// that JavaScript keeps says so afterwards.
#include "node.hpp"

namespace addon {
namespace {

using EventHandle = std::shared_ptr<crdt::Event*>;

class LiveEvent {
 public:
  explicit LiveEvent(crdt::Event& event) : handle_(std::make_shared<crdt::Event*>(&event)) {}
  LiveEvent(const LiveEvent&) = delete;
  LiveEvent& operator=(const LiveEvent&) = delete;
  LiveEvent(LiveEvent&&) = default;
  ~LiveEvent() {
    if (handle_ != nullptr) *handle_ = nullptr;
  }
  napi_value to_js() const {
    crdt::Event& event = **handle_;
    std::vector<napi_value> keys;
    for (const std::string& key : event.keys_changed()) keys.push_back(text(key));
    return host(Host::Event, {addon::to_js(event.target()), addon::to_js(event.current_target()),
                              addon::to_js(event.transaction()), array(keys),
                              boolean(event.child_list_changed()), wrap(EventHandle(handle_))});
  }

 private:
  EventHandle handle_;
};

crdt::Event& event_of(const Call& call) {
  crdt::Event* event = *unwrap<EventHandle>(call[0]);
  if (event == nullptr) {
    throw lattice::Error("You must not compute changes after the event-handler fired.");
  }
  return *event;
}

crdt::Type& type_of(const Call& call) { return unwrap<crdt::Type>(call[0]); }

napi_value observe(const Call& call) {
  return number(
      static_cast<double>(type_of(call).observe([callback = JsValue(call[1])](crdt::Event& event) {
        HandleScope scope;
        const LiveEvent live(event);
        addon::call(callback, {live.to_js()});
      })));
}
napi_value observe_deep(const Call& call) {
  return number(static_cast<double>(
      type_of(call).observe_deep([callback = JsValue(call[1])](std::span<crdt::Event> events) {
        HandleScope scope;
        std::vector<LiveEvent> live;
        std::vector<napi_value> shown;
        for (crdt::Event& event : events) {
          live.emplace_back(event);
          shown.push_back(live.back().to_js());
        }
        napi_value transaction = events.empty() ? undefined() : to_js(events.front().transaction());
        addon::call(callback, {array(shown), transaction});
      })));
}
napi_value unobserve(const Call& call) {
  type_of(call).unobserve(to_id(call[1]));
  return undefined();
}

napi_value event_path(const Call& call) {
  std::vector<napi_value> steps;
  for (const crdt::PathStep& step : event_of(call).path()) {
    const auto* key = std::get_if<std::string>(&step);
    steps.push_back(key != nullptr ? text(*key) : number(std::get<uint32_t>(step)));
  }
  return array(steps);
}
napi_value event_delta(const Call& call) {
  const crdt::Event& event = event_of(call);
  const crdt::TypeKind kind = event.target().kind();
  return to_js(event.delta(), kind != crdt::TypeKind::Text && kind != crdt::TypeKind::XmlText);
}
napi_value event_keys(const Call& call) {
  std::vector<napi_value> changes;
  for (const auto& [key, change] : event_of(call).keys()) {
    static constexpr const char* kNames[] = {"add", "update", "delete"};
    const napi_value fields[] = {text(key), text(kNames[static_cast<size_t>(change.action)]),
                                 to_js(change.old_value)};
    changes.push_back(array(fields));
  }
  return array(changes);
}
napi_value items(const std::vector<crdt::ItemView>& views) {
  std::vector<napi_value> found;
  for (const crdt::ItemView& view : views) found.push_back(to_js(view));
  return array(found);
}
napi_value event_added(const Call& call) { return items(event_of(call).added()); }
napi_value event_deleted(const Call& call) { return items(event_of(call).deleted()); }

crdt::Transaction& transaction_of(const Call& call) { return unwrap<crdt::Transaction>(call[0]); }

napi_value transaction_delete_set(const Call& call) {
  return to_js(transaction_of(call).delete_set());
}
napi_value transaction_before(const Call& call) {
  return to_js(transaction_of(call).before_state());
}
napi_value transaction_after(const Call& call) { return to_js(transaction_of(call).after_state()); }
napi_value transaction_changed(const Call& call) {
  return boolean(transaction_of(call).changed(unwrap<crdt::Type>(call[1])));
}

crdt::Doc& doc_of(const Call& call) { return unwrap<crdt::Doc>(call[0]); }

napi_value doc_set(const std::vector<crdt::Doc>& docs) {
  std::vector<napi_value> found;
  for (const crdt::Doc& doc : docs) found.push_back(to_js(doc));
  return array(found);
}

// on(doc, number of the event, callback): the numbers of DocEvent; 10 and 11 are updates v1 and v2,
// 12 sub-documents, 13 destruction.
napi_value on(const Call& call) {
  const crdt::Doc& doc = doc_of(call);
  const uint32_t event = to_uint(call[1]);
  const JsValue callback(call[2]);
  crdt::ObserverId id = 0;
  if (event == 10 || event == 11) {
    id = doc.on_update(
        [callback](std::span<const uint8_t> update, crdt::Transaction& transaction) {
          HandleScope scope;
          addon::call(callback, {bytes(update), to_js(transaction)});
        },
        event == 10 ? crdt::UpdateVersion::V1 : crdt::UpdateVersion::V2);
  } else if (event == 12) {
    id = doc.on_subdocs(
        [callback](const crdt::SubdocsEvent& subdocs, crdt::Transaction& transaction) {
          HandleScope scope;
          addon::call(callback, {doc_set(subdocs.added), doc_set(subdocs.removed),
                                 doc_set(subdocs.loaded), to_js(transaction)});
        });
  } else if (event == 13) {
    id = doc.on_destroy([callback] {
      HandleScope scope;
      addon::call(callback, {});
    });
  } else {
    id = doc.on(static_cast<crdt::DocEvent>(event), [callback](crdt::Transaction& transaction) {
      HandleScope scope;
      addon::call(callback, {to_js(transaction)});
    });
  }
  return number(static_cast<double>(id));
}
napi_value off(const Call& call) {
  doc_of(call).off(to_id(call[1]));
  return undefined();
}

}  // namespace

void add_events(napi_value exports) {
  add<observe>(exports, "observe");
  add<observe_deep>(exports, "observeDeep");
  add<unobserve>(exports, "unobserve");
  add<event_path>(exports, "eventPath");
  add<event_delta>(exports, "eventDelta");
  add<event_keys>(exports, "eventKeys");
  add<event_added>(exports, "eventAdded");
  add<event_deleted>(exports, "eventDeleted");
  add<transaction_delete_set>(exports, "transactionDeleteSet");
  add<transaction_before>(exports, "transactionBefore");
  add<transaction_after>(exports, "transactionAfter");
  add<transaction_changed>(exports, "transactionChanged");
  add<on>(exports, "on");
  add<off>(exports, "off");
}

}  // namespace addon
