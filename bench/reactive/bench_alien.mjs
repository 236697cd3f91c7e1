// SPDX-License-Identifier: MIT
// The cases of bench_reactive.cpp on alien-signals.
//
//   node --expose-gc bench_alien.mjs [--case PREFIX] [--iterations N]     LATTICE_BENCH_QUICK=1
import { runCellx } from "./cellx_alien.mjs";
import { runCreate } from "./create_alien.mjs";
import { runDynamic } from "./dynamic_alien.mjs";
import { runKairo } from "./kairo_alien.mjs";

await runKairo();
await runDynamic();
await runCellx();
await runCreate();
