// SPDX-License-Identifier: MIT
// The cases of bench_reactive.cpp on alien-signals, with the same structure and protocol.
//
//   node kairo_alien.mjs [--case PREFIX] [--iterations N]       LATTICE_BENCH_QUICK=1: a tenth
import { computed, effect, effectScope, endBatch, signal, startBatch } from "alien-signals";

const kRepetitions = 10;

function check(held, what) {
  if (!held) {
    console.error(`kairo: wrong result in ${what}`);
    process.exit(1);
  }
}

function write(target, value) {
  startBatch();
  target(value);
  endBatch();
}

function busy() {
  let a = 0;
  for (let i = 0; i < 100; i++) a++;
}

function avoidable() {
  const head = signal(0);
  const computed1 = computed(() => head());
  const computed2 = computed(() => (computed1(), 0));
  const computed3 = computed(() => (busy(), computed2() + 1));
  const computed4 = computed(() => computed3() + 2);
  const computed5 = computed(() => computed4() + 3);
  effect(() => {
    computed5();
    busy();
  });
  return () => {
    write(head, 1);
    check(computed5() === 6, "avoidable");
    for (let i = 0; i < 1000; i++) {
      write(head, i);
      check(computed5() === 6, "avoidable");
    }
  };
}

function broad() {
  const head = signal(0);
  let last = head;
  let count = 0;
  for (let i = 0; i < 50; i++) {
    const current = computed(() => head() + i);
    const current2 = computed(() => current() + 1);
    effect(() => {
      current2();
      count++;
    });
    last = current2;
  }
  return () => {
    write(head, 1);
    count = 0;
    for (let i = 0; i < 50; i++) {
      write(head, i);
      check(last() === i + 50, "broad");
    }
    check(count === 50 * 50, "broad count");
  };
}

function deep() {
  const length = 50;
  const head = signal(0);
  let current = head;
  for (let i = 0; i < length; i++) {
    const before = current;
    current = computed(() => before() + 1);
  }
  let count = 0;
  effect(() => {
    current();
    count++;
  });
  return () => {
    write(head, 1);
    count = 0;
    for (let i = 0; i < 50; i++) {
      write(head, i);
      check(current() === length + i, "deep");
    }
    check(count === 50, "deep count");
  };
}

function diamond() {
  const width = 5;
  const head = signal(0);
  const current = [];
  for (let i = 0; i < width; i++) current.push(computed(() => head() + 1));
  const sum = computed(() => {
    let total = 0;
    for (const one of current) total += one();
    return total;
  });
  let count = 0;
  effect(() => {
    sum();
    count++;
  });
  return () => {
    write(head, 1);
    check(sum() === 2 * width, "diamond");
    count = 0;
    for (let i = 0; i < 500; i++) {
      write(head, i);
      check(sum() === (i + 1) * width, "diamond");
    }
    check(count === 500, "diamond count");
  };
}

function mux() {
  const heads = new Array(100).fill(null).map(() => signal(0));
  const all = computed(() => heads.map((head) => head()));
  const split = heads
    .map((_, index) => computed(() => all()[index]))
    .map((one) => computed(() => one() + 1));
  split.forEach((one) => {
    effect(() => {
      one();
    });
  });
  return () => {
    for (let i = 0; i < 10; i++) {
      write(heads[i], i);
      check(split[i]() === i + 1, "mux");
    }
    for (let i = 0; i < 10; i++) {
      write(heads[i], i * 2);
      check(split[i]() === i * 2 + 1, "mux");
    }
  };
}

function repeated() {
  const size = 30;
  const head = signal(0);
  const current = computed(() => {
    let result = 0;
    for (let i = 0; i < size; i++) result += head();
    return result;
  });
  let count = 0;
  effect(() => {
    current();
    count++;
  });
  return () => {
    write(head, 1);
    check(current() === size, "repeated");
    count = 0;
    for (let i = 0; i < 100; i++) {
      write(head, i);
      check(current() === i * size, "repeated");
    }
    check(count === 100, "repeated count");
  };
}

function triangle() {
  const width = 10;
  const head = signal(0);
  let current = head;
  const list = [];
  for (let i = 0; i < width; i++) {
    const before = current;
    list.push(current);
    current = computed(() => before() + 1);
  }
  const sum = computed(() => {
    let total = 0;
    for (const one of list) total += one();
    return total;
  });
  let count = 0;
  effect(() => {
    sum();
    count++;
  });
  return () => {
    const constant = (width * (width + 1)) / 2;
    write(head, 1);
    check(sum() === constant, "triangle");
    count = 0;
    for (let i = 0; i < 100; i++) {
      write(head, i);
      check(sum() === constant - width + i * width, "triangle");
    }
    check(count === 100, "triangle count");
  };
}

function unstable() {
  const head = signal(0);
  const twice = computed(() => head() * 2);
  const inverse = computed(() => -head());
  const current = computed(() => {
    let result = 0;
    for (let i = 0; i < 20; i++) result += head() % 2 ? twice() : inverse();
    return result;
  });
  let count = 0;
  effect(() => {
    current();
    count++;
  });
  return () => {
    write(head, 1);
    check(current() === 40, "unstable");
    count = 0;
    for (let i = 0; i < 100; i++) {
      write(head, i);
      check(current() === (i % 2 ? i * 2 * 20 : i * -20), "unstable");
    }
    check(count === 100, "unstable count");
  };
}

const kairoCases = [
  ["kairo/deep", 51, deep],
  ["kairo/broad", 51, broad],
  ["kairo/diamond", 501, diamond],
  ["kairo/triangle", 101, triangle],
  ["kairo/mux", 20, mux],
  ["kairo/repeated", 101, repeated],
  ["kairo/unstable", 101, unstable],
  ["kairo/avoidable", 1001, avoidable],
];

const nextTick = () => new Promise((resolve) => setTimeout(resolve, 0));

function timed(body) {
  const start = process.hrtime.bigint();
  body();
  return Number(process.hrtime.bigint() - start);
}

function print(name, ns) {
  console.log(JSON.stringify({ case: name, ns: Math.round(ns * 100) / 100 }));
}

async function runKairo(name, writes, build, iterations) {
  let iterate;
  const dispose = effectScope(() => {
    iterate = build();
  });
  for (let i = 0; i < 3; i++) {
    iterate();
    await nextTick();
  }
  let best = Infinity;
  for (let i = 0; i < kRepetitions; i++) {
    await nextTick();
    const ns = timed(() => {
      for (let k = 0; k < iterations; k++) iterate();
    });
    best = Math.min(best, ns);
  }
  dispose();
  print(name, best / iterations / writes);
}

async function runCreate(name, count) {
  let best = Infinity;
  for (let i = 0; i < kRepetitions; i++) {
    await nextTick();
    const signals = new Array(count);
    const ns = timed(() => {
      for (let value = 0; value < count; value++) signals[value] = signal(value);
    });
    best = Math.min(best, ns);
    check(signals[count - 1]() === count - 1, name);
  }
  print(name, best / count);
}

const options = { case: "", iterations: process.env.LATTICE_BENCH_QUICK === "1" ? 50 : 500 };
for (let i = 2; i + 1 < process.argv.length; i += 2) {
  if (process.argv[i] === "--case") options.case = process.argv[i + 1];
  if (process.argv[i] === "--iterations") options.iterations = Number(process.argv[i + 1]);
}
for (const [name, writes, build] of kairoCases) {
  if (name.startsWith(options.case)) await runKairo(name, writes, build, options.iterations);
}
if ("create/1k".startsWith(options.case)) await runCreate("create/1k", 1000);
if ("create/100k".startsWith(options.case)) await runCreate("create/100k", 100_000);
