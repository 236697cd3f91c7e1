// SPDX-License-Identifier: MIT
// Signals, memos and effects: everything a user of the reactive core includes.
#pragma once

#include "lattice/reactive/boundary.hpp"
#include "lattice/reactive/bridge.hpp"
#include "lattice/reactive/context.hpp"
#include "lattice/reactive/effect.hpp"
#include "lattice/reactive/equality.hpp"
#include "lattice/reactive/linked.hpp"
#include "lattice/reactive/list.hpp"
#include "lattice/reactive/mailbox.hpp"
#include "lattice/reactive/memo.hpp"
#include "lattice/reactive/remote.hpp"
#include "lattice/reactive/runtime.hpp"
#include "lattice/reactive/scope.hpp"
#include "lattice/reactive/signal.hpp"
#include "lattice/reactive/watch.hpp"
