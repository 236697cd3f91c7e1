// SPDX-License-Identifier: MIT
// The dynamic graph of dynamic.cpp on alien-signals, with the same structure and protocol.
import { computed, effect, effectScope, signal } from "alien-signals";
import { write } from "./alien.mjs";
import { check, fastestNs, nextTick, options, print, wants } from "./measure.mjs";

// name, width, layers, fraction of static memos, sources of a memo, fraction of leaves read,
// iterations, and the published sum and count
const kConfigs = [
  ["dynamic/2-10x5 lazy80", 10, 5, 1, 2, 0.2, 600_000, 19199968, 3_480_000],
  ["dynamic/6-10x10 dyn25 lazy80", 10, 10, 0.75, 6, 0.2, 15_000, 302310782860, 1_155_000],
  ["dynamic/4-1000x12 dyn5", 1000, 12, 0.95, 4, 1, 7_000, 29355933696000, 1_463_000],
  ["dynamic/25-1000x5", 1000, 5, 1, 25, 1, 3_000, 1171484375000, 732_000],
  ["dynamic/3-5x500", 5, 500, 1, 3, 1, 500, 3.0239642676898464e241, 1_246_500],
  ["dynamic/6-100x15 dyn50", 100, 15, 0.5, 6, 1, 2_000, 15664996402790400, 1_078_000],
];

const rotate = (word, bits) => (word << bits) | (word >>> (32 - bits));

// sfc32, seeded by MurmurHash3 of the word "seed".
function random() {
  let hash = 2166136261 | 0;
  const seed = "seed";
  for (const letter of seed) {
    hash ^= Math.imul(rotate(Math.imul(letter.charCodeAt(0), 3432918353), 15), 461845907);
    hash = (Math.imul(rotate(hash, 13), 5) + 3864292196) | 0;
  }
  hash ^= seed.length;
  const next = () => {
    hash = Math.imul(hash ^ (hash >>> 16), 2246822507);
    hash = Math.imul(hash ^ (hash >>> 13), 3266489909);
    hash ^= hash >>> 16;
    return hash;
  };
  let [a, b, c, counter] = [next(), next(), next(), next()];
  return () => {
    const result = (a + b + counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (rotate(c, 21) + result) | 0;
    counter = (counter + 1) | 0;
    return (result >>> 0) / 4294967296;
  };
}

function fixedSum(sources, counter) {
  return computed(() => {
    counter.count++;
    let sum = 0;
    for (const source of sources) sum += source();
    return sum;
  });
}

// Leaves one source out while the first is odd.
function changingSum(sources, counter) {
  const first = sources[0];
  const tail = sources.slice(1);
  return computed(() => {
    counter.count++;
    let sum = first();
    const drops = sum & 1;
    const dropped = sum % tail.length;
    for (let i = 0; i < tail.length; i++) {
      if (!drops || i !== dropped) sum += tail[i]();
    }
    return sum;
  });
}

function makeGrid(width, layers, staticFraction, nSources, readFraction) {
  const counter = { count: 0 };
  const sources = Array.from({ length: width }, (_, column) => signal(column));
  const shape = random();
  let row = sources;
  for (let layer = 1; layer < layers; layer++) {
    const above = row;
    row = above.map((_, column) => {
      const mine = [];
      for (let i = 0; i < nSources; i++) mine.push(above[(column + i) % width]);
      return shape() < staticFraction ? fixedSum(mine, counter) : changingSum(mine, counter);
    });
  }
  const choice = random();
  const leaves = row.slice();
  const skipped = Math.round(width * (1 - readFraction));
  for (let i = 0; i < skipped; i++) leaves.splice(Math.floor(choice() * leaves.length), 1);
  effect(() => {
    for (const leaf of leaves) leaf();
  });
  const run = (iterations) => {
    for (let i = 0; i < iterations; i++) {
      const column = i % sources.length;
      write(sources[column], i + column);
      for (const leaf of leaves) leaf();
    }
    let sum = 0;
    for (const leaf of leaves) sum = leaf() + sum;
    return sum;
  };
  return { counter, run };
}

async function runConfig(config) {
  const [name, width, layers, staticFraction, nSources, readFraction, all, sum, count] = config;
  const few = Math.max(Math.floor(all / 20), 2 * width);
  const iterations = options.quick ? few : all;
  let grid;
  const dispose = effectScope(() => {
    grid = makeGrid(width, layers, staticFraction, nSources, readFraction);
  });
  for (let i = 0; i < (options.quick ? 1 : 3); i++) grid.run(iterations);
  await nextTick();
  let found = 0;
  const ns = await fastestNs(options.quick ? 2 : 5, () => {
    grid.counter.count = 0;
    found = grid.run(iterations);
  });
  dispose();
  const recomputed = grid.counter.count;
  if (!options.quick) check(found === sum && recomputed === count, name);
  print(name, ns / iterations, { same: { sum: found, recomputed } });
}

export async function runDynamic() {
  for (const config of kConfigs) {
    if (wants(config[0])) await runConfig(config);
  }
}
