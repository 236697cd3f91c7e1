// SPDX-License-Identifier: MIT
// The cases of kairo.cpp on alien-signals, with the same structure and protocol.
import { computed, effect, effectScope, signal } from "alien-signals";
import { write } from "./alien.mjs";
import { check, fastestNs, nextTick, options, print, wants } from "./measure.mjs";

const kRepetitions = 10;
let recomputations = 0;
let counting = false;

// A memo of a case's graph; it counts its runs while the counted graph is built.
function node(fn) {
  if (!counting) return computed(fn);
  return computed(() => {
    recomputations++;
    return fn();
  });
}

function busy() {
  let a = 0;
  for (let i = 0; i < 100; i++) a++;
}

function avoidable() {
  const head = signal(0);
  const computed1 = node(() => head());
  const computed2 = node(() => (computed1(), 0));
  const computed3 = node(() => (busy(), computed2() + 1));
  const computed4 = node(() => computed3() + 2);
  const computed5 = node(() => computed4() + 3);
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
    const current = node(() => head() + i);
    const current2 = node(() => current() + 1);
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
    current = node(() => before() + 1);
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
  for (let i = 0; i < width; i++) current.push(node(() => head() + 1));
  const sum = node(() => {
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
  const all = node(() => heads.map((head) => head()));
  const split = heads
    .map((_, index) => node(() => all()[index]))
    .map((one) => node(() => one() + 1));
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
  const current = node(() => {
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
    current = node(() => before() + 1);
  }
  const sum = node(() => {
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
  const twice = node(() => head() * 2);
  const inverse = node(() => -head());
  const current = node(() => {
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
  // What python_reactive.py does with Python functions.
  ["python/kairo deep", 51, deep],
  ["python/kairo broad", 51, broad],
];

function build(which) {
  let iterate;
  const dispose = effectScope(() => {
    iterate = which();
  });
  return { iterate, dispose };
}

// Of one iteration in the steady state.
function recomputed(which) {
  counting = true;
  const { iterate, dispose } = build(which);
  counting = false;
  for (let i = 0; i < 20; i++) iterate();
  recomputations = 0;
  iterate();
  dispose();
  return recomputations;
}

async function runCase(name, writes, which) {
  const { iterate, dispose } = build(which);
  for (let i = 0; i < 3; i++) {
    iterate();
    await nextTick();
  }
  const best = await fastestNs(kRepetitions, () => {
    for (let k = 0; k < options.iterations; k++) iterate();
  });
  dispose();
  const same = { recomputed: recomputed(which) };
  print(name, best / options.iterations / writes, { same });
}

export async function runKairo() {
  for (const [name, writes, which] of kairoCases) {
    if (wants(name)) await runCase(name, writes, which);
  }
}
