// SPDX-License-Identifier: MIT
// cellx.cpp on alien-signals, with the same structure and protocol.
import { computed, effect, effectScope, endBatch, signal, startBatch } from "alien-signals";
import { check, nextTick, print, timeNs, wants } from "./measure.mjs";

function makeLayer([a, b, c, d], counter) {
  const layer = [
    computed(() => b()),
    computed(() => a() - c()),
    computed(() => b() + d()),
    computed(() => c()),
  ];
  for (const one of layer) {
    effect(() => {
      one();
      counter.runs++;
    });
  }
  return layer;
}

function updateNs(layers, counter) {
  const start = [1, 2, 3, 4].map((value) => signal(value));
  let end = start;
  const dispose = effectScope(() => {
    for (let i = 0; i < layers; i++) end = makeLayer(end, counter);
  });
  counter.runs = 0;
  let before;
  let after;
  const ns = timeNs(() => {
    before = end.map((one) => one());
    startBatch();
    start[0](4);
    start[1](3);
    start[2](2);
    start[3](1);
    endBatch();
    after = end.map((one) => one());
  });
  check(before.join() === "-3,-6,-2,2", "cellx before the write");
  check(after.join() === "-2,-4,2,3", "cellx after the write");
  dispose();
  return ns;
}

async function runSize(name, layers) {
  const counter = { runs: 0 };
  updateNs(layers, counter);
  let total = 0;
  for (let i = 0; i < 10; i++) {
    await nextTick();
    total += updateNs(layers, counter);
  }
  print(name, total / 10, { same: { effects: counter.runs } });
}

export async function runCellx() {
  if (wants("cellx/1000")) await runSize("cellx/1000", 1000);
  if (wants("cellx/2500")) await runSize("cellx/2500", 2500);
}
