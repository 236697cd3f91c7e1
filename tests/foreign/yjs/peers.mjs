// SPDX-License-Identifier: MIT
// Replicas for the fuzzer: one interface over the engine (through the shim), npm yjs and ywasm. An
// operation is data with raw numbers; the replica turns them into positions by what it holds, so
// that the same operation on two equal replicas is the same change.
import { createRequire } from "node:module";

const WORDS = ["a", "xy", "hello ", "\n", "世界", "日本語テキスト", "👾", "é👩‍👩‍👧", "Ω≈ç", "0123456789"];
const VALUES = [
  0,
  1,
  -7,
  2.5,
  1e300,
  "text",
  "漢字",
  "🙂",
  null,
  true,
  false,
  { key: "value", n: [1, { deep: null }] },
  [1, "two", [3]],
  new Uint8Array([1, 2, 255]),
];
const MARKS = [
  { bold: true },
  { italic: true },
  { bold: null },
  { color: "#888", italic: null },
  { link: { href: "x" } },
  { bold: true, color: "red" },
];
const KEYS = ["one", "two", "three"];
const pick = (list, raw) => list[raw % list.length];
// New objects each time: Yjs compares some values of marks by identity, and two operations of a user
// share no objects.
const marks = (raw) => structuredClone(pick(MARKS, raw));
let words = WORDS; // without surrogate pairs in most runs: cut pairs make Yjs's replicas differ

// Operations by name: (Y, roots, raw numbers a, b, c, d).
export const OPERATIONS = {
  textInsert(Y, { text }, a, b) {
    text.insert(a % (text.length + 1), pick(words, b));
  },
  textInsertMarked(Y, { text }, a, b, c) {
    text.insert(a % (text.length + 1), pick(words, b), marks(c));
  },
  textDelete(Y, { text }, a, b) {
    if (text.length === 0) return;
    const index = a % text.length;
    text.delete(index, 1 + (b % Math.min(5, text.length - index)));
  },
  textFormat(Y, { text }, a, b, c) {
    if (text.length === 0) return;
    const index = a % text.length;
    text.format(index, 1 + (b % Math.min(6, text.length - index)), marks(c));
  },
  textEmbed(Y, { text }, a, b, c) {
    const index = a % (text.length + 1);
    if (b % 2 === 0) text.insertEmbed(index, { image: "x.png" }, c % 2 === 0 ? marks(c) : undefined);
    else {
      const made = c % 3 === 0 ? new Y.Map() : c % 3 === 1 ? new Y.Map([["k", b % 9]]) : Y.Array.from([b % 9]);
      text.insertEmbed(index, made, b % 3 === 0 ? marks(c) : undefined);
      if (made instanceof Y.Map) made.set("k", pick(words, c));
    }
  },
  textDeltaEmbed(Y, { text }, a, b, c) {
    const index = a % (text.length + 1);
    const made = b % 2 === 0 ? new Y.Map([["n", b % 9]]) : new Y.Text(pick(words, b));
    text.applyDelta([
      ...(index > 0 ? [{ retain: index }] : []),
      { insert: made, attributes: marks(c) },
      { insert: pick(words, b), ...(c % 2 === 0 ? { attributes: marks(b) } : {}) },
    ]);
  },
  textDelta(Y, { text }, a, b, c, d) {
    const index = a % (text.length + 1);
    const delta = index > 0 ? [{ retain: index, ...(c % 3 === 0 ? { attributes: marks(d) } : {}) }] : [];
    delta.push({ insert: pick(words, b), ...(c % 2 === 0 ? { attributes: marks(c) } : {}) });
    if (index < text.length) delta.push({ delete: 1 });
    text.applyDelta(delta);
  },
  textAttribute(Y, { xmlText }, a, b) {
    if (b % 4 === 0) xmlText.removeAttribute(pick(KEYS, a));
    else xmlText.setAttribute(pick(KEYS, a), pick(VALUES.slice(0, 10), b));
  },
  xmlTextInsert(Y, { xmlText }, a, b, c) {
    xmlText.insert(a % (xmlText.length + 1), pick(words, b), c % 2 === 0 ? { em: {} } : undefined);
  },
  arrayInsert(Y, { array }, a, b, c) {
    const values = [];
    for (let i = 0; i <= c % 3; ++i) values.push(pick(VALUES, b + i));
    array.insert(a % (array.length + 1), values);
  },
  arrayPush(Y, { array }, a) {
    array.push([pick(VALUES, a)]);
  },
  arrayDelete(Y, { array }, a, b) {
    if (array.length === 0) return;
    const index = a % array.length;
    array.delete(index, 1 + (b % Math.min(3, array.length - index)));
  },
  arrayNested(Y, { array }, a, b, c) {
    const made =
      b % 3 === 0 ? Y.Array.from([1, 2, c]) : b % 3 === 1 ? new Y.Map([["n", c % 9]]) : new Y.Text(pick(words, c));
    array.insert(a % (array.length + 1), c % 2 === 0 ? ["before", made, "after"] : [made]);
  },
  nestedChange(Y, { array }, a, b, c) {
    const types = array.toArray().filter((value) => value instanceof Y.AbstractType);
    if (types.length === 0) return;
    const type = pick(types, a);
    if (type instanceof Y.Array) {
      if (b % 3 === 0 && type.length > 0) type.delete(c % type.length, 1);
      else type.insert(c % (type.length + 1), [pick(VALUES, b)]);
    } else if (type instanceof Y.Map) {
      if (b % 3 === 0) type.delete(pick(KEYS, c));
      else type.set(pick(KEYS, c), pick(VALUES, b));
    } else if (b % 3 === 0 && type.length > 0) type.delete(c % type.length, 1);
    else type.insert(c % (type.length + 1), pick(words, b));
  },
  mapSet(Y, { map }, a, b) {
    map.set(pick(KEYS, a), pick(VALUES, b));
  },
  mapNested(Y, { map }, a, b) {
    const made = b % 2 === 0 ? new Y.Array() : new Y.Map([["deep", pick(VALUES, b)]]);
    map.set(pick(KEYS, a), made);
    if (made instanceof Y.Array) made.insert(0, [1, 2, 3]);
  },
  mapDelete(Y, { map }, a) {
    map.delete(pick(KEYS, a));
  },
  mapClear(Y, { map }) {
    map.clear();
  },
  xmlInsert(Y, { xml }, a, b, c) {
    const made = b % 2 === 0 ? new Y.XmlElement(pick(["p", "div", "li"], c)) : new Y.XmlText(pick(words, c));
    if (b % 4 === 0) made.setAttribute("class", pick(words, c));
    xml.insert(a % (xml.length + 1), [made]);
  },
  xmlChild(Y, { xml }, a, b, c) {
    if (xml.length === 0) return;
    const child = xml.get(a % xml.length);
    if (child instanceof Y.XmlText) child.insert(c % (child.length + 1), pick(words, b), c % 3 === 0 ? { b: {} } : undefined);
    else if (b % 3 === 0) child.setAttribute(pick(KEYS, b), pick(words, c));
    else child.insert(c % (child.length + 1), [new Y.XmlText(pick(words, b))]);
  },
  xmlDelete(Y, { xml }, a) {
    if (xml.length > 0) xml.delete(a % xml.length, 1);
  },
  subdoc(Y, { map }, a) {
    map.set("sub", new Y.Doc({ guid: `guid-${a % 4}` }));
  },
  undo(Y, roots, a, b, c, d, undo) {
    undo.undo();
  },
  redo(Y, roots, a, b, c, d, undo) {
    undo.redo();
  },
  stopCapturing(Y, roots, a, b, c, d, undo) {
    undo.stopCapturing();
  },
};

const units = (items) => [...items].reduce((sum, item) => sum + item.length, 0);

// What of an event a listener sees, as text.
function seen(Y, events) {
  const plain = (value) => {
    if (value instanceof Y.AbstractType) return { type: value.toJSON() };
    if (value instanceof Y.Doc) return { doc: value.guid };
    return value instanceof Uint8Array ? { bytes: [...value] } : value;
  };
  return JSON.stringify(
    events.map((event) => ({
      path: event.path,
      delta: event.changes.delta.map((op) =>
        "insert" in op
          ? { ...op, insert: Array.isArray(op.insert) ? op.insert.map(plain) : plain(op.insert) }
          : op,
      ),
      keys: [...event.changes.keys]
        .map(([key, { action, oldValue }]) => [key, action, plain(oldValue)])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
      // In units: where runs end within a transaction is nobody's business.
      added: units(event.changes.added),
      deleted: units(event.changes.deleted),
    })),
  );
}

export class Replica {
  constructor(Y, client, { events = true } = {}) {
    this.Y = Y;
    this.doc = new Y.Doc();
    this.doc.clientID = client;
    this.updates = [];
    this.updatesV2 = [];
    this.events = [];
    this.doc.on("update", (update) => this.updates.push(update));
    this.doc.on("updateV2", (update) => this.updatesV2.push(update));
    const { doc } = this;
    this.roots = {
      text: doc.getText("text"),
      array: doc.getArray("array"),
      map: doc.getMap("map"),
      xml: doc.getXmlFragment("xml"),
      xmlText: doc.get("xmlText", Y.XmlText),
    };
    if (events) {
      for (const [name, type] of Object.entries(this.roots)) {
        type.observeDeep((changes) => this.events.push(`${name} ${seen(Y, changes)}`));
      }
    }
    // Time does not decide: only stopCapturing ends a stack item.
    this.undo = new Y.UndoManager(Object.values(this.roots), { captureTimeout: 1e12 });
  }
  take() {
    const taken = { updates: this.updates, updatesV2: this.updatesV2, events: this.events };
    this.updates = [];
    this.updatesV2 = [];
    this.events = [];
    return taken;
  }
  // Several operations are one transaction.
  operate(operations) {
    const run = ({ name, raw, astral }) => {
      words = astral ? WORDS : WORDS.filter((word) => !/\p{Surrogate}|[^\u0000-\uffff]/u.test(word));
      OPERATIONS[name](this.Y, this.roots, ...raw, this.undo);
    };
    if (operations.length === 1) run(operations[0]);
    else this.doc.transact(() => operations.forEach(run));
    return this.take();
  }
  apply(update, version) {
    if (version === 2) this.Y.applyUpdateV2(this.doc, update);
    else this.Y.applyUpdate(this.doc, update);
    return this.take();
  }
  encode(version, state) {
    return version === 2
      ? this.Y.encodeStateAsUpdateV2(this.doc, state)
      : this.Y.encodeStateAsUpdate(this.doc, state);
  }
  // What all replicas must agree on once they have seen the same.
  state() {
    const { Y, doc, roots } = this;
    const embed = (op) => (op.insert instanceof Y.AbstractType ? { ...op, insert: op.insert.toJSON() } : op);
    const delta = (type) => type.toDelta().map(embed);
    const sub = roots.map.get("sub");
    const json = doc.toJSON();
    delete json.map.sub;
    return {
      json: JSON.stringify([json.array, sorted(json.map), json.xml]),
      delta: JSON.stringify([delta(roots.text), delta(roots.xmlText)].map(sorted)),
      attributes: JSON.stringify(sorted(roots.xmlText.getAttributes())),
      subdoc: sub instanceof Y.Doc ? sub.guid : null,
      stateVector: Buffer.from(Y.encodeStateVector(doc)).toString("hex"),
      snapshot: Buffer.from(Y.encodeSnapshot(Y.snapshot(doc))).toString("hex"),
    };
  }
}
// With the keys of all objects in order.
export function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

// Yjs without its search markers: where an index falls among tombstones, markers put an insertion
// wherever the last one was; without them, as here, after the last character before it.
export function withoutMarkers(Y) {
  for (const type of [Y.Text, Y.Array]) {
    Object.defineProperty(type.prototype, "_searchMarker", { get: () => null, set: () => {} });
  }
  return Y;
}

// ywasm plays what it has in common with Yjs; it returns no events.
export class WasmReplica {
  constructor(client) {
    this.Y = createRequire(import.meta.url)("ywasm");
    this.doc = new this.Y.YDoc({ clientID: client });
    this.text = this.doc.getText("text");
    this.array = this.doc.getArray("array");
    this.map = this.doc.getMap("map");
  }
  // ywasm's finalizers throw when they run at a bad time: no handle is left to them.
  free() {
    for (const handle of [this.text, this.array, this.map, this.doc]) handle.free();
  }
  operate(operations) {
    const before = this.Y.encodeStateVector(this.doc);
    let made = 0;
    for (const { name, raw } of operations) made += this.#one(name, ...raw);
    return { updates: made > 0 ? [this.Y.encodeStateAsUpdate(this.doc, before)] : [] };
  }
  #one(name, a, b) {
    const { text, array, map } = this;
    if (name === "textInsert") text.insert(a % (text.length() + 1), pick(WORDS.slice(0, 4), b));
    else if (name === "textDelete" && text.length() > 0) text.delete(a % text.length(), 1);
    else if (name === "arrayPush") array.push([pick(VALUES.slice(0, 6), a)]);
    else if (name === "arrayDelete" && array.length() > 0) array.delete(a % array.length(), 1);
    else if (name === "mapSet") map.set(pick(KEYS, a), pick(VALUES.slice(0, 6), b));
    else return 0;
    return 1;
  }
  apply(update, version) {
    if (version === 2) this.Y.applyUpdateV2(this.doc, update, undefined);
    else this.Y.applyUpdate(this.doc, update, undefined);
    return { updates: [] };
  }
  encode(version) {
    return version === 2 ? this.Y.encodeStateAsUpdateV2(this.doc) : this.Y.encodeStateAsUpdate(this.doc);
  }
  state() {
    return null; // its state is judged by what a Yjs document makes of it
  }
}
