// SPDX-License-Identifier: MIT
// The public face of shared documents: Doc and its types, snapshots and relative positions.
#pragma once

#include "lattice/collab/crdt/doc.hpp"
#include "lattice/collab/crdt/relative_position.hpp"
#include "lattice/collab/crdt/snapshot.hpp"
#include "lattice/collab/crdt/undo_manager.hpp"
#include "lattice/collab/crdt/update.hpp"
