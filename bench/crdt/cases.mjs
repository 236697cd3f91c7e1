// SPDX-License-Identifier: MIT
// The cases of `./run bench crdt` for the rivals under node: the work, once, over what an adapter of
// a library offers. The C++ program and the Rust rivals do the same work, written anew in each.
//
// An adapter: create(client), onUpdate(doc, f), text(doc), list(doc), map(doc), transact(doc, f),
// apply(doc, update), save(doc), and what its library has of saveV2, diff, merge, saveOwn, loadOwn,
// free. Texts have insert, delete, length, toString; positions are UTF-16 units.
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gunzipSync } from "node:zlib";

const quick = process.env.LATTICE_BENCH_QUICK === "1";
const REPETITIONS = quick ? 3 : 5;
const N = 6000;
const PEERS = 1540;
const CASE_MS_ENOUGH = 5000; // no more repetitions of a case that has taken so long

let prefix = "";
for (let i = 2; i + 1 < process.argv.length; ++i) {
  if (process.argv[i] === "--case") prefix = process.argv[i + 1];
}
const wants = (name) => name.startsWith(prefix) || prefix.startsWith(name);
let played = null; // the cases that a slow library plays; null: all
const plays = (name) => wants(name) && (played === null || played.includes(name));

const ofCpu = process.env.LATTICE_BENCH_CLOCK === "cpu";
function nowMs() {
  if (!ofCpu) return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
function timed(body) {
  const start = nowMs();
  body();
  return nowMs() - start;
}
function check(held, what) {
  if (held) return;
  console.error(`wrong result in ${what}`);
  process.exit(1);
}
function say(name, figure, { unit = "ms", ...more } = {}) {
  console.log(JSON.stringify({ case: name, [unit]: figure, ...more }));
}
// The fastest of some runs; `body` returns its own time, which may leave out what it prepared.
function fastest(name, body, repetitions = REPETITIONS) {
  if (!plays(name)) return;
  let best = Infinity;
  const started = performance.now();
  for (let i = 0; i < repetitions; ++i) {
    globalThis.gc?.();
    best = Math.min(best, body());
    if (performance.now() - started > CASE_MS_ENOUGH) break;
  }
  say(name, best);
}

class Random {
  constructor(seed) {
    this.state = seed;
  }
  next() {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (this.state = x >>> 0);
  }
  below(n) {
    return this.next() % n;
  }
  letter() {
    return String.fromCharCode(97 + this.below(26));
  }
  word() {
    const length = 2 + this.below(8);
    let word = "";
    for (let i = 0; i < length; ++i) word += this.letter();
    return word;
  }
}

function trace(name) {
  const folders = [process.env.LATTICE_TRACES, "../shared/traces"].filter(Boolean);
  const found = folders.map((folder) => resolve(folder, `${name}.json.gz`)).find(existsSync);
  return found === undefined ? null : JSON.parse(gunzipSync(readFileSync(found)));
}
const edit = (text, [position, deleted, inserted]) => {
  if (deleted > 0) text.delete(position, deleted);
  if (inserted !== "") text.insert(position, inserted);
};

// --- the two traces ---

function paper(library, { slow = false } = {}) {
  if (!wants("paper/")) return;
  const data = trace("automerge-paper");
  if (data === null) return;
  const repetitions = slow ? 1 : quick ? 1 : 3;
  const edits = data.txns.flatMap((txn) => txn.patches);
  let doc;
  let updates = [];
  const local = () => {
    updates = [];
    doc = library.create(1);
    library.onUpdate(doc, (update) => updates.push(update));
    const text = library.text(doc);
    return timed(() => {
      for (const patch of edits) library.transact(doc, () => edit(text, patch));
    });
  };
  const right = (other, what) => check(library.text(other).toString() === data.endContent, what);
  if (wants("paper/local, update each")) {
    fastest("paper/local, update each", local, repetitions);
    right(doc, "paper/local");
  }
  fastest(
    "paper/local, one transaction",
    () => {
      const fresh = library.create(1);
      const text = library.text(fresh);
      const took = timed(() =>
        library.transact(fresh, () => {
          for (const patch of edits) edit(text, patch);
        }),
      );
      right(fresh, "paper/local, one transaction");
      return took;
    },
    repetitions,
  );
  if (doc === undefined) local();
  fastest(
    "paper/remote, one by one",
    () => {
      const fresh = library.create(2);
      const took = timed(() => {
        for (const update of updates) library.apply(fresh, update);
      });
      right(fresh, "paper/remote");
      return took;
    },
    repetitions,
  );
  const load = (name, bytes, apply) =>
    fastest(name, () => {
      let text;
      const took = timed(() => {
        const fresh = library.create(2);
        apply(fresh, bytes);
        text = library.text(fresh).toString();
      });
      check(text === data.endContent, name);
      return took;
    });
  if (library.apply !== undefined && library.saveV2 !== undefined) {
    load("paper/load v1", library.save(doc), library.apply);
    load("paper/load v2", library.saveV2(doc), library.applyV2);
    fastest("paper/encode v1", () => timed(() => library.save(doc)));
    fastest("paper/encode v2", () => timed(() => library.saveV2(doc)));
    const middle = library.stateAfter(updates.slice(0, updates.length >> 1));
    fastest("paper/diff", () => timed(() => library.save(doc, middle)));
    fastest("paper/merge 2000", () => timed(() => library.merge(updates.slice(0, 2000))));
  }
  if (library.saveOwn !== undefined) {
    const image = library.saveOwn(doc);
    fastest("paper/load own format", () => {
      let text;
      const took = timed(() => {
        const fresh = library.loadOwn(image);
        text = library.text(fresh).toString();
        library.transact(fresh, () => library.text(fresh).insert(0, "x"));
      });
      check(text === data.endContent, "paper/load own format");
      return took;
    });
  }
  if (wants("paper/memory") && globalThis.gc !== undefined && library.saveV2 !== undefined) {
    const bytes = library.saveV2(doc);
    const used = () => {
      for (let i = 0; i < 4; ++i) globalThis.gc();
      return process.memoryUsage().heapUsed;
    };
    const before = used();
    const fresh = library.create(2);
    library.applyV2(fresh, bytes);
    const held = used() - before;
    right(fresh, "paper/memory");
    say("paper/memory", held, { unit: "bytes" });
  }
}

// One document per author, brought to what it had seen before each of its transactions.
function friends(library) {
  if (!wants("friends/")) return;
  const data = trace("friendsforever");
  if (data === null) return;
  const docs = [];
  const seen = [];
  const updates = [];
  let made = [];
  for (let agent = 0; agent < data.numAgents; ++agent) {
    docs.push(library.create(agent + 1));
    seen.push(new Set());
    library.onUpdate(docs[agent], (update) => made.push(update));
  }
  data.txns.forEach((txn, index) => {
    const missing = [];
    const known = seen[txn.agent];
    const stack = [...txn.parents];
    while (stack.length > 0) {
      const parent = stack.pop();
      if (known.has(parent)) continue;
      known.add(parent);
      missing.push(parent);
      stack.push(...data.txns[parent].parents);
    }
    for (const parent of missing.sort((a, b) => a - b)) {
      for (const update of updates[parent]) library.apply(docs[txn.agent], update);
    }
    made = [];
    const text = library.text(docs[txn.agent]);
    library.transact(docs[txn.agent], () => txn.patches.forEach((patch) => edit(text, patch)));
    known.add(index);
    updates.push(made);
  });
  let whole;
  fastest("friends/remote", () => {
    whole = library.create(9);
    const took = timed(() => {
      for (const each of updates) for (const update of each) library.apply(whole, update);
    });
    // Where both write at one spot the libraries may order it otherwise: not the recorded text.
    check(library.text(whole).length === data.endContent.length, "friends/remote");
    return took;
  });
  if (whole === undefined) return;
  const expected = library.text(whole).toString();
  const state = library.save(whole);
  fastest("friends/load", () => {
    let text;
    const took = timed(() => {
      const fresh = library.create(10);
      library.apply(fresh, state);
      text = library.text(fresh).toString();
    });
    check(text === expected, "friends/load");
    return took;
  });
}

// --- crdt-benchmarks, by its description ---

const randomChange = (random, text) => {
  const length = text.length;
  const position = random.below(length + 1);
  if (length === 0 || (random.next() & 1) === 0) text.insert(position, random.word());
  else text.delete(position, Math.min(length - position, 1 + random.below(9)));
};

function b1(library) {
  const run = (name, part, steps) =>
    fastest(`b1/${name}`, () => {
      const a = library.create(1);
      const b = library.create(2);
      library.onUpdate(a, (update) => library.apply(b, update));
      const random = new Random(42);
      const mine = library[part](a);
      const took = timed(() => steps(mine, random, (f) => library.transact(a, f)));
      check(
        JSON.stringify(mine.value()) === JSON.stringify(library[part](b).value()),
        `b1/${name}`,
      );
      library.free?.(a);
      library.free?.(b);
      return took;
    });
  const each = (f) => (type, random, transact) => {
    for (let i = 0; i < N; ++i) transact(() => f(type, random, i));
  };
  const string = () => {
    const random = new Random(42);
    let made = "";
    for (let i = 0; i < N; ++i) made += random.letter();
    return made;
  };
  const numbers = Array.from({ length: N }, (_, i) => i);
  run("1.1 append characters", "text", each((t, r, i) => t.insert(i, r.letter())));
  run("1.2 insert string", "text", (t, r, transact) => transact(() => t.insert(0, string())));
  run("1.3 prepend characters", "text", each((t, r) => t.insert(0, r.letter())));
  run("1.4 random characters", "text", each((t, r, i) => t.insert(r.below(i + 1), r.letter())));
  run("1.5 random words", "text", each((t, r) => t.insert(r.below(t.length + 1), r.word())));
  run("1.6 insert string, delete it", "text", (t, r, transact) => {
    transact(() => t.insert(0, string()));
    transact(() => t.delete(0, N));
  });
  run("1.7 insert and delete strings", "text", each((t, r) => randomChange(r, t)));
  run("1.8 append numbers", "list", each((l, r, i) => l.insert(i, [i])));
  run("1.9 insert array of numbers", "list", (l, r, transact) => transact(() => l.insert(0, numbers)));
  run("1.10 prepend numbers", "list", each((l, r, i) => l.insert(0, [i])));
  run("1.11 random numbers", "list", each((l, r, i) => l.insert(r.below(i + 1), [i])));
}

function b2(library) {
  const start = "a".repeat(100);
  const run = (name, steps) =>
    fastest(`b2/${name}`, () => {
      const docs = [library.create(1), library.create(2)];
      const sent = [[], []];
      let recording = false;
      const first = [];
      docs.forEach((doc, i) =>
        library.onUpdate(doc, (update) => {
          if (recording) sent[i].push(update);
          else if (i === 0) first.push(update);
        }),
      );
      const texts = docs.map((doc) => library.text(doc));
      library.transact(docs[0], () => texts[0].insert(0, start));
      for (const update of first) library.apply(docs[1], update);
      recording = true;
      const took = timed(() => {
        docs.forEach((doc, i) => {
          steps(texts[i], new Random(42 + i), (f) => library.transact(doc, f));
        });
        const [fromA, fromB] = sent.map((updates) => updates.slice());
        recording = false;
        for (const update of fromA) library.apply(docs[1], update);
        for (const update of fromB) library.apply(docs[0], update);
      });
      check(texts[0].toString() === texts[1].toString(), `b2/${name}`);
      docs.forEach((doc) => library.free?.(doc));
      return took;
    });
  const each = (f) => (text, random, transact) => {
    for (let i = 0; i < N; ++i) transact(() => f(text, random));
  };
  run("2.1 concurrent string at 0", (text, random, transact) => {
    let made = "";
    for (let i = 0; i < N; ++i) made += random.letter();
    transact(() => text.insert(0, made));
  });
  run(
    "2.2 concurrent random characters",
    each((t, r) => t.insert(r.below(t.length + 1), r.letter())),
  );
  run("2.3 concurrent random words", each((t, r) => t.insert(r.below(t.length + 1), r.word())));
  run("2.4 concurrent insert and delete", each((t, r) => randomChange(r, t)));
}

function b3(library) {
  const run = (name, part, change) => {
    if (!plays(`b3/${name}`)) return;
    const updates = [];
    for (let i = 1; i <= PEERS; ++i) {
      const doc = library.create(i);
      library.onUpdate(doc, (update) => updates.push(update));
      const type = library[part](doc);
      library.transact(doc, () => change(type, i));
      library.free?.(doc);
    }
    fastest(`b3/${name}`, () => {
      const whole = library.create(PEERS + 1);
      const copy = library.create(PEERS + 2);
      const took = timed(() => {
        for (const update of updates) library.apply(whole, update);
        library.apply(copy, library.save(whole));
      });
      check(
        JSON.stringify(library[part](whole).value()) === JSON.stringify(library[part](copy).value()),
        `b3/${name}`,
      );
      library.free?.(whole);
      library.free?.(copy);
      return took;
    });
  };
  run("3.1 number in map", "map", (map, i) => map.set("v", i));
  run("3.2 object in map", "map", (map, i) => map.set("v", { name: String(i), address: "here" }));
  run("3.3 string in map", "map", (map, i) => map.set("v", String(i).repeat(20)));
  run("3.4 insert in array", "list", (list, i) => list.insert(0, [i]));
  run("3.5 insert text", "text", (text, i) => text.insert(0, String(i)));
}

// --- shapes in which implementations break down ---

function shapes(library) {
  if (wants("siblings/10000 clients at one spot")) {
    const updates = [];
    for (let i = 1; i <= 10000; ++i) {
      const doc = library.create(i);
      library.onUpdate(doc, (update) => updates.push(update));
      const text = library.text(doc);
      library.transact(doc, () => text.insert(0, "ab"));
    }
    fastest(
      "siblings/10000 clients at one spot",
      () => {
        const whole = library.create(20000);
        const took = timed(() => {
          for (const update of updates) library.apply(whole, update);
        });
        check(library.text(whole).length === 20000, "siblings/");
        return took;
      },
      1,
    );
  }
  if (wants("map/") && library.saveV2 !== undefined) {
    const doc = library.create(1);
    const map = library.map(doc);
    library.transact(doc, () => {
      for (let i = 0; i < 1000000; ++i) map.set(`k${i}`, i);
    });
    library.transact(doc, () => {
      for (let i = 0; i < 1000000; ++i) map.delete(`k${i}`);
    });
    const state = library.save(doc);
    let loaded;
    fastest(
      "map/1000000 deleted entries load",
      () => timed(() => library.apply((loaded = library.create(2)), state)),
      1,
    );
    loaded ??= doc;
    fastest("map/1000000 deleted entries encode", () => timed(() => library.save(loaded)), 1);
  }
}

export function play(library, { b4 = true, slow = false, hard = true, only = null } = {}) {
  played = only;
  if (b4) paper(library, { slow });
  if (b4 && !slow) friends(library);
  b1(library);
  b2(library);
  b3(library);
  if (hard) shapes(library);
}
