// SPDX-License-Identifier: MIT
// Undo and redo of what tracked origins did to some types, while others keep editing.
//
// A stack item holds the ranges that its transactions inserted and deleted. Undo deletes the former
// and re-creates the latter beside their old neighbours; changes of others in between stay.
// Transactions closer than `capture_timeout_ms` share a stack item.
#pragma once

#include <any>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "lattice/collab/crdt/doc.hpp"

namespace lattice::crdt {

struct StackItem {
  DeleteSet insertions;
  DeleteSet deletions;
  // The clients of both sets in the order in which they came in: undo goes through them so, and
  // what it brings back first gets the lower clocks.
  std::vector<ClientId> inserted_by, deleted_by;
  std::any meta;  // the application's: a cursor to restore, say
};

struct UndoOptions {
  int64_t capture_timeout_ms = 500;
  // Origins that are tracked; the empty origin is a plain local transaction's.
  std::vector<Origin> tracked_origins{Origin{}};
  // More than equality: Yjs also tracks by an origin's constructor.
  std::function<bool(const Origin&)> tracks_origin;
  std::function<bool(Transaction&)> capture_transaction;
  std::function<bool(const ItemView&)> delete_filter;
  bool ignore_remote_map_changes = false;
  // Milliseconds of a steady clock; passed in so that tests need not sleep.
  std::function<int64_t()> now_ms;
};

struct UndoEvent {
  enum class Kind : uint8_t { Added, Updated, Popped, Cleared };
  Kind kind = Kind::Added;
  bool undo = true;           // which stack the item is on, or was popped from
  StackItem* item = nullptr;  // null for Cleared
  Origin origin;
  std::vector<Type> changed_types;
  bool undo_stack_cleared = false, redo_stack_cleared = false;
};

class UndoManager {
 public:
  UndoManager(const Doc& doc, std::span<const Type> scope, UndoOptions options = {});
  // The whole document.
  explicit UndoManager(const Doc& doc, UndoOptions options = {});
  UndoManager(const UndoManager&) = delete;
  UndoManager& operator=(const UndoManager&) = delete;
  ~UndoManager();

  void add_scope(const Type& type);
  void add_tracked_origin(Origin origin);
  void remove_tracked_origin(const Origin& origin);
  bool undo();  // whether anything changed
  bool redo();
  bool can_undo() const;
  bool can_redo() const;
  bool undoing() const;
  bool redoing() const;
  void clear(bool undo_stack = true, bool redo_stack = true);
  void stop_capturing();  // the next transaction begins a new stack item
  std::span<StackItem> undo_stack();
  std::span<StackItem> redo_stack();
  // The item that is being popped, while its transaction's observers run; else null.
  StackItem* current_item();
  ObserverId on(std::function<void(UndoEvent&)> callback);
  void off(ObserverId id);
  Origin origin() const;  // of the transactions that undo and redo make

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lattice::crdt
