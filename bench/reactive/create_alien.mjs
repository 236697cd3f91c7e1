// SPDX-License-Identifier: MIT
// create.cpp on alien-signals, with the same structure and protocol. Bytes want node --expose-gc.
import { computed, effect, effectScope, signal } from "alien-signals";
import { check, nextTick, print, timeNs, wants } from "./measure.mjs";

const repetitions = (count) => (count < 1_000_000 ? 10 : 5);

async function runSignals(name, count) {
  let best = Infinity;
  for (let i = 0; i < repetitions(count); i++) {
    await nextTick();
    const signals = new Array(count);
    const ns = timeNs(() => {
      for (let value = 0; value < count; value++) signals[value] = signal(value);
    });
    best = Math.min(best, ns);
    check(signals[count - 1]() === count - 1, name);
  }
  print(name, best / count);
}

function makeChains(signals, counter) {
  for (let value = 0; value < signals.length; value++) {
    const source = signal(value);
    const next = computed(() => source() + 1);
    effect(() => {
      if (next() !== 0) counter.runs++;
    });
    signals[value] = source;
  }
}

async function runChains(name, count) {
  let best = Infinity;
  for (let i = 0; i < repetitions(count); i++) {
    await nextTick();
    const signals = new Array(count);
    const counter = { runs: 0 };
    let ns = 0;
    const dispose = effectScope(() => {
      ns = timeNs(() => makeChains(signals, counter));
    });
    best = Math.min(best, ns);
    check(counter.runs === count, name);
    dispose();
  }
  print(name, best / count);
}

// Growth of the heap after a collection, the functions of the three included.
function runBytes(name) {
  check(typeof globalThis.gc === "function", "bytes: run node with --expose-gc");
  const count = 200_000;
  const signals = new Array(count).fill(null);
  const counter = { runs: 0 };
  const used = () => (gc(), gc(), process.memoryUsage().heapUsed);
  const before = used();
  const dispose = effectScope(() => makeChains(signals, counter));
  const bytes = (used() - before) / count;
  check(counter.runs === count, name);
  dispose();
  print(name, bytes, { unit: "bytes" });
}

export async function runCreate() {
  const bytes = "bytes/signal + memo + effect";
  const chains = "create/signal + memo + effect 1M";
  if (wants(bytes)) runBytes(bytes);
  if (wants("create/1k")) await runSignals("create/1k", 1000);
  if (wants("create/100k")) await runSignals("create/100k", 100_000);
  if (wants("create/signals 1M")) await runSignals("create/signals 1M", 1_000_000);
  if (wants(chains)) await runChains(chains, 1_000_000);
}
