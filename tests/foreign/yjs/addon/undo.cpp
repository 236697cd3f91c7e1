// SPDX-License-Identifier: MIT
// The undo manager.
#include "lattice/collab/crdt/undo_manager.hpp"

#include "node.hpp"

namespace addon {
namespace {

using Manager = std::shared_ptr<crdt::UndoManager>;

crdt::UndoManager& manager_of(const Call& call) { return *unwrap<Manager>(call[0]); }

// The application's part of a stack item is the JavaScript object that stands for it.
napi_value stack_item(crdt::StackItem& item) {
  if (!item.meta.has_value()) item.meta = JsValue(host(Host::StackItem, {}));
  return std::any_cast<const JsValue&>(item.meta).get();
}

// newUndoManager(doc, types or null, options, () => the manager's object)
napi_value new_undo_manager(const Call& call) {
  crdt::UndoOptions options;
  options.capture_timeout_ms =
      static_cast<int64_t>(std::min(to_double(property(call[2], "captureTimeout")), 9e15));
  options.ignore_remote_map_changes = to_bool(property(call[2], "ignoreRemoteMapChanges"));
  if (!to_bool(property(call[2], "tracksNull"))) options.tracked_origins.clear();
  options.tracks_origin = [tracks =
                               JsValue(property(call[2], "tracks"))](const crdt::Origin& origin) {
    HandleScope scope;
    return to_bool(addon::call(tracks, {to_js(origin)}));
  };
  options.capture_transaction =
      [capture = JsValue(property(call[2], "captureTransaction"))](crdt::Transaction& transaction) {
        HandleScope scope;
        return to_bool(addon::call(capture, {to_js(transaction)}));
      };
  options.delete_filter =
      [filter = JsValue(property(call[2], "deleteFilter"))](const crdt::ItemView& item) {
        HandleScope scope;
        return to_bool(addon::call(filter, {to_js(item)}));
      };
  const crdt::Doc& doc = unwrap<crdt::Doc>(call[0]);
  Manager manager;
  if (is_nullish(call[1])) {
    manager = std::make_shared<crdt::UndoManager>(doc, std::move(options));
  } else {
    std::vector<crdt::Type> scope;
    for (uint32_t i = 0; i < array_length(call[1]); ++i) {
      scope.push_back(unwrap<crdt::Type>(element(call[1], i)));
    }
    manager = std::make_shared<crdt::UndoManager>(doc, scope, std::move(options));
  }
  name_origin(manager->origin(), call[3]);
  return wrap(std::move(manager));
}
// Ends its life before the collector would.
napi_value destroy(const Call& call) {
  unwrap<Manager>(call[0]).reset();
  return undefined();
}
napi_value add_scope(const Call& call) {
  manager_of(call).add_scope(unwrap<crdt::Type>(call[1]));
  return undefined();
}
napi_value undo(const Call& call) {
  const Manager manager = unwrap<Manager>(call[0]);
  return boolean(manager->undo());
}
napi_value redo(const Call& call) {
  const Manager manager = unwrap<Manager>(call[0]);
  return boolean(manager->redo());
}
napi_value clear(const Call& call) {
  manager_of(call).clear(to_bool(call[1]), to_bool(call[2]));
  return undefined();
}
napi_value stop_capturing(const Call& call) {
  manager_of(call).stop_capturing();
  return undefined();
}
napi_value state(const Call& call) {
  const napi_value flags[] = {boolean(manager_of(call).undoing()),
                              boolean(manager_of(call).redoing())};
  return array(flags);
}
napi_value stack(const Call& call) {
  std::vector<napi_value> items;
  for (crdt::StackItem& item :
       to_bool(call[1]) ? manager_of(call).undo_stack() : manager_of(call).redo_stack()) {
    items.push_back(stack_item(item));
  }
  return array(items);
}
napi_value current_item(const Call& call) {
  crdt::StackItem* item = manager_of(call).current_item();
  return item != nullptr ? stack_item(*item) : null();
}
// callback(kind, undo, stack item, origin, changed types, cleared undo, cleared redo)
napi_value on(const Call& call) {
  return number(static_cast<double>(
      manager_of(call).on([callback = JsValue(call[1])](crdt::UndoEvent& event) {
        HandleScope scope;
        static constexpr const char* kNames[] = {"stack-item-added", "stack-item-updated",
                                                 "stack-item-popped", "stack-cleared"};
        std::vector<napi_value> types;
        for (const crdt::Type& type : event.changed_types) types.push_back(to_js(type));
        addon::call(callback, {text(kNames[static_cast<size_t>(event.kind)]), boolean(event.undo),
                               event.item != nullptr ? stack_item(*event.item) : null(),
                               to_js(event.origin), array(types), boolean(event.undo_stack_cleared),
                               boolean(event.redo_stack_cleared)});
      })));
}

}  // namespace

void add_undo(napi_value exports) {
  add<new_undo_manager>(exports, "newUndoManager");
  add<destroy>(exports, "undoDestroy");
  add<add_scope>(exports, "undoAddScope");
  add<undo>(exports, "undo");
  add<redo>(exports, "redo");
  add<clear>(exports, "undoClear");
  add<stop_capturing>(exports, "undoStopCapturing");
  add<state>(exports, "undoState");
  add<stack>(exports, "undoStack");
  add<current_item>(exports, "undoCurrentItem");
  add<on>(exports, "undoOn");
}

}  // namespace addon
