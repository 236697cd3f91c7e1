// SPDX-License-Identifier: MIT
// Fuzzes the engine beside real Yjs.
//
//   node fuzz.mjs ADDON [--runs N | --seconds N] [--seed N] [--steps N] [--only PREFIX]
//                  [--replay FILE] [--no-peers]
//
// Each run has three replicas of the engine, each with a twin: a Yjs document with the same client
// id that makes the same operations and applies the same updates in the same order. A real Yjs and
// a ywasm, each in its own process (peer.mjs), take part. Updates travel in random order, twice at
// times, in either encoding, past partitions and as diffs against state vectors. After every step
// engine and twin must have emitted the same update bytes (v1 and v2) and the same events; at times
// and at the end their encoded states (v1, v2, and diffs), JSON, deltas, state vectors and delete
// sets must be equal. Once all have seen all, all replicas are compared; where Yjs's own twins
// disagree (after a cut surrogate pair), that is counted and not failed.
//
// A failing run is shrunk and printed; --replay FILE runs what was printed.
// The last line is `N passed, N failed`.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { deserialize, serialize } from "node:v8";
import * as Y from "yjs";
import { OPERATIONS, Replica, sorted, withoutMarkers } from "./peers.mjs";

const flags = process.argv.slice(2);
function option(name, fallback) {
  const at = flags.indexOf(name);
  return at < 0 ? fallback : flags.splice(at, 2)[1];
}
const runs = Number(option("--runs", 100));
const seconds = Number(option("--seconds", 0));
const firstSeed = Number(option("--seed", seconds > 0 ? Date.now() % 1e9 : 1));
const stepsOfRun = Number(option("--steps", 80));
const replay = option("--replay", null);
const only = option("--only", ""); // operations whose names begin so
const withPeers = !flags.includes("--no-peers");
process.env.LATTICE_YJS_ADDON = resolve(flags[0]);
const Lattice = await import("./shim.mjs");
withoutMarkers(Y);

const OURS = 3;
const PEERS = withPeers ? ["yjs", "ywasm"] : [];
const NAMES = Object.keys(OPERATIONS);

function random(seed) {
  let state = (seed * 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}

// Names that come often, so that documents grow and are edited in the middle.
const OFTEN = ["textInsert", "textInsert", "textDelete", "textFormat", "textInsertMarked", "arrayInsert", "mapSet", "nestedChange"];

function stepsOf(seed) {
  const next = random(seed);
  const astral = seed % 3 === 0; // surrogate pairs, which operations may cut
  // Some runs stay with one type, whose content grows.
  const prefix = only || ["", "text", "array", "", ""][seed % 5];
  const names = NAMES.filter((name) => name.startsWith(prefix));
  const steps = [];
  const replicas = OURS + PEERS.length;
  const operation = () => {
    const often = prefix === "" && next() % 2 === 0;
    const name = often ? OFTEN[next() % OFTEN.length] : names[next() % names.length];
    return { name, raw: [next(), next(), next(), next()] };
  };
  for (let i = 0; i < stepsOfRun; ++i) {
    const roll = next() % 100;
    const at = next() % replicas;
    if (roll < 45) {
      const operations = [operation()];
      while (next() % 5 === 0 && operations.length < 4) operations.push(operation());
      steps.push({ kind: "operate", at, operations });
    } else if (roll < 85) {
      steps.push({ kind: "deliver", at, which: next(), again: next() % 8 === 0, version: 1 + (next() % 2) });
    } else if (roll < 89) steps.push({ kind: "cut", at });
    else if (roll < 93) steps.push({ kind: "heal", at });
    else if (roll < 97) steps.push({ kind: "sync", at, from: next() % OURS, version: 1 + (next() % 2) });
    else steps.push({ kind: "check", at: next() % OURS });
  }
  return { seed, astral, steps };
}

// --- processes ---

class Process {
  #waiting = [];
  #rest = Buffer.alloc(0);
  constructor(kind) {
    this.kind = kind;
    this.#start();
  }
  #start() {
    this.child = spawn(process.execPath, [join(import.meta.dirname, "peer.mjs"), this.kind], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#rest = Buffer.alloc(0);
    this.child.stdin.on("error", () => {});
    this.child.on("exit", () => {
      this.child = null;
      this.#waiting.splice(0).forEach((answer) => answer({ error: "the process died", died: true }));
    });
    this.child.stdout.on("data", (chunk) => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      while (this.#rest.length >= 4 && this.#rest.length >= 4 + this.#rest.readUInt32LE(0)) {
        const end = 4 + this.#rest.readUInt32LE(0);
        const answer = deserialize(this.#rest.subarray(4, end));
        this.#rest = this.#rest.subarray(end);
        this.#waiting.shift()(answer);
      }
    });
  }
  async ask(...request) {
    if (this.child === null) this.#start();
    const body = serialize(request);
    const head = Buffer.alloc(4);
    head.writeUInt32LE(body.length);
    this.child.stdin.write(Buffer.concat([head, body]));
    const { value, error } = await new Promise((done) => this.#waiting.push(done));
    if (error !== undefined) {
      this.end(); // after a panic ywasm does nothing right any more: the next run has a new process
      throw new PeerError(`${this.kind}: ${error}`);
    }
    return value;
  }
  end() {
    this.child?.removeAllListeners("exit");
    this.child?.stdin.end();
    this.child?.kill();
    this.child = null;
  }
}
class PeerError extends Error {}
class Difference extends Error {}
const processes = PEERS.map((kind) => new Process(kind));

// --- one run ---

const hex = (bytes) => Buffer.from(bytes).toString("hex");
function same(mine, theirs, what) {
  if (mine !== theirs) throw new Difference(`${what}\n  lattice ${mine}\n  yjs     ${theirs}`);
}
function sameBytes(mine, theirs, what) {
  if (Buffer.compare(Buffer.from(mine), Buffer.from(theirs)) !== 0) same(hex(mine), hex(theirs), what);
}

class Pair {
  constructor(client, listsAtOnce = false) {
    this.mine = new Replica(Lattice, client);
    if (listsAtOnce) Lattice.engine.listSiblingsAtOnce(this.mine.doc._h);
    this.twin = new Replica(Y, client);
    this.log = []; // what it emitted, which is all that changed it
  }
  // Both do it; they throw both or none.
  #both(act) {
    const results = [this.mine, this.twin].map((replica) => {
      try {
        return { taken: act(replica) };
      } catch (error) {
        return { error, taken: replica.take() };
      }
    });
    const [mine, theirs] = results;
    if ((mine.error === undefined) !== (theirs.error === undefined)) {
      const { error } = mine.error === undefined ? theirs : mine;
      throw new Difference(`${mine.error === undefined ? "only yjs" : "only lattice"} throws: ${error.stack}`);
    }
    for (const part of ["updates", "updatesV2"]) {
      same(mine.taken[part].length, theirs.taken[part].length, `number of ${part}`);
      mine.taken[part].forEach((update, i) => sameBytes(update, theirs.taken[part][i], part));
    }
    // Which root is told first is nobody's business.
    const told = ({ taken }) => taken.events.toSorted().join("\n");
    same(told(mine), told(theirs), "events");
    this.log.push(...mine.taken.updates);
    return mine.taken;
  }
  async operate(operations) {
    return this.#both((replica) => replica.operate(operations));
  }
  async apply(update, version) {
    return this.#both((replica) => replica.apply(update, version));
  }
  async encode(version, state) {
    const mine = this.mine.encode(version, state);
    sameBytes(mine, this.twin.encode(version, state), `state v${version}`);
    return mine;
  }
  // All its updates as one, and new documents that load it, and its state in both encodings.
  async load() {
    const merged = Lattice.mergeUpdates(this.log);
    sameBytes(merged, Y.mergeUpdates(this.log), "merged updates");
    for (const [version, bytes] of [
      [1, merged],
      [1, await this.encode(1)],
      [2, await this.encode(2)],
    ]) {
      const fresh = new Pair(300);
      await fresh.apply(bytes, version);
      await fresh.check();
    }
  }
  async stateVector() {
    return Lattice.encodeStateVector(this.mine.doc);
  }
  async check() {
    await this.encode(1);
    await this.encode(2);
    const [mine, theirs] = [this.mine.state(), this.twin.state()];
    for (const part of Object.keys(theirs)) same(mine[part], theirs[part], part);
    same(this.mine.undo.undoStack.length, this.twin.undo.undoStack.length, "undo stack");
    same(this.mine.undo.redoStack.length, this.twin.undo.redoStack.length, "redo stack");
    return theirs;
  }
}
// A peer that gives up is no fault of ours: it is counted, and the run goes on without it.
class Remote {
  alive = true;
  constructor(process) {
    this.process = process;
  }
  async #ask(...request) {
    if (!this.alive) return { updates: [] };
    try {
      return await this.process.ask(...request);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      this.failed(error);
      return { updates: [] };
    }
  }
  failed(error) {
    this.alive = false;
    const why = error.message.slice(0, 80);
    counted.peers.set(why, (counted.peers.get(why) ?? 0) + 1);
  }
  operate(operations) {
    return this.#ask("operate", operations);
  }
  apply(update, version) {
    return this.#ask("apply", update, version);
  }
}

const counted = { updates: 0, operations: 0, disagreements: 0, wasmEmptyDeletes: 0, wasm: new Map(), peers: new Map() };

// What a Yjs document makes of ywasm's state.
async function readWasm(process) {
  const copy = new Replica(Y, 999, { events: false });
  try {
    copy.apply(await process.ask("encode", 1), 1);
  } catch {
    return null; // what ywasm wrote is not always what Yjs can read
  }
  return copy.state();
}

// ywasm loses updates that came too early (its state vector stays behind, and sending everything
// again does not help), and writes structs with gaps that Yjs cannot read. Such replicas are counted
// by kind; a new ywasm document must read what we wrote.
const withoutKeyOrder = (json) => JSON.stringify(sorted(JSON.parse(json))); // ywasm shuffles keys
async function judgeWasm(process, expected, replica) {
  const equals = (state) =>
    state !== null &&
    withoutKeyOrder(state.json) === withoutKeyOrder(expected.json) &&
    state.stateVector === expected.stateVector;
  const found = await readWasm(process);
  if (equals(found)) return;
  const bytes = await replica.encode(1);
  await process.ask("apply", bytes, 1);
  const kind =
    found === null
      ? "Yjs cannot read its state"
      : equals(await readWasm(process))
        ? "it had to be sent our state again"
        : found.stateVector !== expected.stateVector
          ? "it stays behind although it was sent everything twice"
          : "its content differs";
  counted.wasm.set(kind, (counted.wasm.get(kind) ?? 0) + 1);
  await process.ask("create", 299);
  await process.ask("apply", bytes, 1);
  const read = await readWasm(process);
  if (!equals(read)) {
    throw new Difference(`a new ywasm document reads our state differently\n  lattice ${expected.json}\n  ywasm   ${read?.json}`);
  }
}

async function play({ seed, astral, steps }) {
  const replicas = [];
  for (let i = 0; i < OURS; ++i) replicas.push(new Pair(100 + i, seed % 2 === 0));
  for (const [i, process] of processes.entries()) {
    // A second time in a new process, when the old one cannot let go of its replica.
    await process.ask("create", 200 + i).catch(() => process.ask("create", 200 + i));
    replicas.push(new Remote(process));
  }
  const inboxes = replicas.map(() => []);
  const away = new Set();
  const spread = (from, { updates }) => {
    for (const update of updates) {
      ++counted.updates;
      inboxes.forEach((inbox, to) => to !== from && inbox.push(update));
    }
  };
  const encoded = (update, version) => {
    if (version === 2) {
      try {
        return [Y.convertUpdateFormatV1ToV2(update), 2];
      } catch {
        ++counted.wasmEmptyDeletes; // ywasm writes deletions of no length, which v2 cannot say
      }
    }
    return [update, 1];
  };
  for (const [number, step] of steps.entries()) {
    const replica = replicas[step.at];
    if (replica === undefined) continue;
    try {
      if (step.kind === "operate") {
        counted.operations += step.operations.length;
        spread(step.at, await replica.operate(step.operations.map((one) => ({ ...one, astral }))));
      } else if (step.kind === "deliver") {
        const inbox = inboxes[step.at];
        if (inbox.length === 0 || away.has(step.at)) continue;
        const index = step.which % inbox.length;
        const update = step.again ? inbox[index] : inbox.splice(index, 1)[0];
        spread(step.at, await replica.apply(...encoded(update, step.version)));
      } else if (step.kind === "cut") away.add(step.at);
      else if (step.kind === "heal") away.delete(step.at);
      else if (step.kind === "sync" && replica instanceof Pair && step.from !== step.at) {
        const diff = await replicas[step.from].encode(step.version, await replica.stateVector());
        spread(step.at, await replica.apply(diff, step.version));
      } else if (step.kind === "check" && replica instanceof Pair) await replica.check();
    } catch (error) {
      error.message = `step ${number} (${step.kind} at ${step.at}): ${error.message}`;
      throw error;
    }
  }
  const next = random(seed + 7);
  for (let left = true; left; ) {
    left = false;
    for (const [to, inbox] of inboxes.entries()) {
      while (inbox.length > 0) {
        left = true;
        const [update] = inbox.splice(next() % inbox.length, 1);
        const version = 1 + (next() % 2);
        try {
          spread(to, await replicas[to].apply(...encoded(update, version)));
        } catch (error) {
          error.message = `last deliveries, at ${to}: ${error.message}`;
          throw error;
        }
      }
    }
  }
  const states = [];
  for (const replica of replicas.slice(0, OURS)) {
    states.push(await replica.check());
    await replica.load();
  }
  if (PEERS.length > 0) {
    if (replicas[OURS].alive) states.push(await processes[0].ask("state"));
    try {
      if (replicas[OURS + 1].alive) await judgeWasm(processes[1], states[0], replicas[0]);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      replicas[OURS + 1].failed(error);
    }
  }
  // Ours equal their twins here, so a disagreement is one of Yjs's.
  if (states.some((state) => JSON.stringify(state) !== JSON.stringify(states[0]))) ++counted.disagreements;
}

// --- failing runs ---

async function fails(run) {
  try {
    await play(run);
    return null;
  } catch (error) {
    return error;
  }
}

// Leaves out as many steps as it can while the run fails in the same way.
async function shrunk(run, error) {
  const kindOf = (found) => found.message.split("\n")[0].replace(/^(step \d+|last deliveries)[^:]*: /, "");
  const kind = kindOf(error);
  let { steps } = run;
  const until = Date.now() + 60000;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < steps.length && Date.now() < until; ) {
      const fewer = [...steps.slice(0, at), ...steps.slice(at + size)];
      const found = await fails({ ...run, steps: fewer });
      if (found !== null && kindOf(found) === kind) {
        steps = fewer;
        error = found;
      } else at += size;
    }
  }
  return { run: { ...run, steps }, error };
}

let passed = 0;
let failed = 0;
async function judge(run) {
  const error = await fails(run);
  if (error === null) {
    ++passed;
    return;
  }
  ++failed;
  console.log(`FAIL fuzz of the CRDT, seed ${run.seed}: ${error.message.split("\n")[0]}`);
  const small = await shrunk(run, error);
  console.log(small.error instanceof Difference ? small.error.message : small.error.stack);
  console.log(`${small.run.steps.length} steps: ${JSON.stringify(small.run)}`);
}

if (replay !== null) await judge(JSON.parse(readFileSync(replay, "utf8")));
else {
  const end = Date.now() + seconds * 1000;
  for (let i = 0; seconds > 0 ? Date.now() < end : i < runs; ++i) {
    await judge(stepsOf(firstSeed + i));
    if (failed >= 5) break;
  }
}
for (const process of processes) process.end();
console.log(
  `from seed ${firstSeed}: ${counted.operations} operations, ${counted.updates} updates; ` +
    `in ${counted.disagreements} runs Yjs's replicas disagree`,
);
for (const [kind, count] of counted.wasm) console.log(`ywasm's state differs in ${count} runs: ${kind}`);
for (const [why, count] of counted.peers) console.log(`a peer gave up in ${count} runs: ${why}`);
if (counted.wasmEmptyDeletes > 0) console.log(`ywasm wrote ${counted.wasmEmptyDeletes} deletions of no length`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
