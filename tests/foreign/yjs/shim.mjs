// SPDX-License-Identifier: MIT
// Yjs's API over the C++ engine, for Yjs's own tests. Documents, integration, transactions, events,
// undo, positions, snapshots and codecs are the engine's. What is here: names, JavaScript objects
// with identity for the engine's handles, content that is held until a type has a document ("prelim"),
// read-only mirrors of items and store where tests reach inside, and the observable of providers'
// events (load, sync), which Yjs only passes on.
import { createRequire } from "node:module";
import * as encoding from "lib0/encoding";
import { deepFreeze } from "lib0/object";
import { ObservableV2 } from "lib0/observable";
import * as random from "lib0/random";

const native = createRequire(import.meta.url)(process.env.LATTICE_YJS_ADDON);
const development = process.env.NODE_ENV === "development";

export const engine = native; // for the runner and the fuzzer

// --- ids, delete sets, snapshots: plain data ---

export class ID {
  constructor(client, clock) {
    this.client = client;
    this.clock = clock;
  }
}
export const createID = (client, clock) => new ID(client, clock);
export const compareIDs = (a, b) =>
  a === b || (a !== null && b !== null && a.client === b.client && a.clock === b.clock);
const idOf = (client, clock) => (client < 0 ? null : new ID(client, clock));

export class DeleteItem {
  constructor(clock, len) {
    this.clock = clock;
    this.len = len;
  }
}
export class DeleteSet {
  clients = new Map();
}
function deleteSetOf(flat) {
  const set = new DeleteSet();
  for (let i = 0; i < flat.length; i += 3) {
    if (!set.clients.has(flat[i])) set.clients.set(flat[i], []);
    set.clients.get(flat[i]).push(new DeleteItem(flat[i + 1], flat[i + 2]));
  }
  return set;
}
function flatDeleteSet(set) {
  const flat = [];
  set.clients.forEach((ranges, client) => {
    for (const range of ranges) flat.push(client, range.clock, range.len);
  });
  return flat;
}
export const createDeleteSet = () => new DeleteSet();
export const mergeDeleteSets = (sets) => deleteSetOf(native.mergeDeleteSets(sets.map(flatDeleteSet)));
export const isDeleted = (set, id) => native.deleteSetContains(flatDeleteSet(set), id.client, id.clock);
export const equalDeleteSets = (a, b) => native.equalDeleteSets(flatDeleteSet(a), flatDeleteSet(b));
export const createDeleteSetFromStructStore = (store) => deleteSetOf(native.deleteSet(store._doc._h));

function mapOfState(flat) {
  const state = new Map();
  for (let i = 0; i < flat.length; i += 2) state.set(flat[i], flat[i + 1]);
  return state;
}
const flatState = (state) => [...state].flat();

export class Snapshot {
  constructor(ds, sv) {
    this.ds = ds;
    this.sv = sv;
  }
}
const flatSnapshot = (snapshot) =>
  snapshot == null ? null : [flatDeleteSet(snapshot.ds), flatState(snapshot.sv)];
const snapshotOf = ([ds, sv]) => new Snapshot(deleteSetOf(ds), mapOfState(sv));
export const createSnapshot = (ds, sv) => new Snapshot(ds, sv);
export const emptySnapshot = createSnapshot(createDeleteSet(), new Map());
export const snapshot = (doc) => snapshotOf(native.takeSnapshot(doc._h));
export const encodeSnapshot = (snapshot) => native.encodeSnapshot(flatSnapshot(snapshot), 1);
export const encodeSnapshotV2 = (snapshot) => native.encodeSnapshot(flatSnapshot(snapshot), 2);
export const decodeSnapshot = (bytes) => snapshotOf(native.decodeSnapshot(bytes, 1));
export const decodeSnapshotV2 = (bytes) => snapshotOf(native.decodeSnapshot(bytes, 2));
export const equalSnapshots = (a, b) => native.equalSnapshots(flatSnapshot(a), flatSnapshot(b));
export const snapshotContainsUpdate = (snapshot, update) =>
  native.snapshotContainsUpdate(flatSnapshot(snapshot), update, 1);
export function createDocFromSnapshot(doc, snapshot, newDoc) {
  if (newDoc !== undefined) throw new Error("the shim makes the new document itself");
  return adopt(native.restore(doc._h, flatSnapshot(snapshot)));
}

// --- read-only mirrors of structs and contents ---

export class AbstractStruct {
  constructor(id, length) {
    this.id = id;
    this.length = length;
  }
}
export class GC extends AbstractStruct {
  get deleted() {
    return true;
  }
}
export class Skip extends AbstractStruct {
  get deleted() {
    return true;
  }
}

class Content {
  constructor(values) {
    this.values = values;
  }
  getContent() {
    return this.values;
  }
  getLength() {
    return this.values.length;
  }
}
export class ContentDeleted extends Content {}
export class ContentJSON extends Content {}
export class ContentBinary extends Content {}
export class ContentString extends Content {
  constructor(text) {
    super(text);
    this.str = text;
  }
  getContent() {
    return this.str.split("");
  }
}
export class ContentEmbed extends Content {}
export class ContentFormat extends Content {
  constructor(key) {
    super([]);
    this.key = key;
  }
}
export class ContentType extends Content {
  constructor(type) {
    super([type]);
    this.type = type;
  }
}
export class ContentAny extends Content {}
export class ContentDoc extends Content {}

function contentOf(doc, client, clock) {
  const found = native.itemContent(doc._h, client, clock);
  if (found === null) return null;
  switch (found.ref) {
    case 1:
      return new ContentDeleted([]);
    case 2:
      return new ContentJSON(found.values);
    case 3:
      return new ContentBinary(found.values);
    case 4:
      return new ContentString(found.values[0]);
    case 5:
      return new ContentEmbed(found.values);
    case 6:
      return new ContentFormat(found.key);
    case 7:
      return new ContentType(found.type);
    case 8:
      return new ContentAny(found.values);
    case 9:
      return new ContentDoc(found.values);
    default:
      return null;
  }
}

export class Item extends AbstractStruct {
  constructor(id, left, origin, right, rightOrigin, parent, parentSub, content) {
    super(id, content.getLength());
    this.left = left;
    this.origin = origin;
    this.right = right;
    this.rightOrigin = rightOrigin;
    this.parent = parent;
    this.parentSub = parentSub;
    this.content = content;
    this.deleted = false;
    this.redone = null;
  }
  get lastId() {
    return this.length === 1 ? this.id : new ID(this.id.client, this.id.clock + this.length - 1);
  }
}
// An item of a document. Its content is asked for when somebody looks.
class MirroredItem extends Item {
  get content() {
    return this._doc === undefined ? undefined : contentOf(this._doc, this.id.client, this.id.clock);
  }
  set content(_) {}
}
const noContent = { getLength: () => 0 };
// The order of the fields is that of to_js(ItemView) in addon/convert.cpp.
function structOf(doc, f) {
  const id = new ID(f[0], f[1]);
  if (f[3] === 0) return new GC(id, f[2]);
  const item = new MirroredItem(id, null, idOf(f[5], f[6]), null, idOf(f[7], f[8]), null, f[13], noContent);
  item.length = f[2];
  item._doc = doc;
  item.deleted = f[4];
  item.keep = f[14];
  item.redone = idOf(f[15], f[16]);
  item._links = f;
  return item;
}

class StructStore {
  #version = -1;
  #clients = null;
  constructor(doc) {
    Object.defineProperty(this, "_doc", { value: doc });
  }
  get clients() {
    if (this.#version === this._doc._version) return this.#clients;
    const clients = new Map();
    const byId = new Map();
    for (const [client, structs] of native.store(this._doc._h)) {
      const mirrors = structs.map((fields) => structOf(this._doc, fields));
      clients.set(client, mirrors);
      const of = new Map();
      byId.set(client, of);
      for (const mirror of mirrors) of.set(mirror.id.clock, mirror);
    }
    for (const mirrors of clients.values()) {
      for (const mirror of mirrors) {
        if (mirror._links === undefined) continue;
        const [lc, lk, rc, rk] = mirror._links.slice(9, 13);
        if (lc >= 0) mirror.left = byId.get(lc).get(lk);
        if (rc >= 0) mirror.right = byId.get(rc).get(rk);
      }
    }
    this.#clients = clients;
    this.#version = this._doc._version;
    return clients;
  }
  get pendingStructs() {
    const pending = native.pendingStructs(this._doc._h);
    return pending === null ? null : { missing: mapOfState(pending.missing), update: pending.update };
  }
  get pendingDs() {
    return native.pendingDeleteSet(this._doc._h);
  }
  // Mirrors: only what is there already may be put there.
  set pendingStructs(value) {
    if (value !== null || this.pendingStructs !== null) throw new Error("pendingStructs is read-only");
  }
  set pendingDs(value) {
    if (value !== null || this.pendingDs !== null) throw new Error("pendingDs is read-only");
  }
}
export const getState = (store, client) => mapOfState(native.stateVector(store._doc._h)).get(client) ?? 0;

// --- transactions and events ---

export class Transaction {
  constructor(doc, handle, origin, local) {
    this.doc = doc;
    this.origin = origin;
    this.local = local;
    this.meta = new Map();
    Object.defineProperty(this, "_h", { value: handle });
    this.changedParentTypes = { has: (type) => native.transactionChanged(handle, type._h) };
  }
  get deleteSet() {
    return (this._deleteSet ??= deleteSetOf(native.transactionDeleteSet(this._h)));
  }
  get beforeState() {
    return (this._before ??= mapOfState(native.transactionBefore(this._h)));
  }
  get afterState() {
    return (this._after ??= mapOfState(native.transactionAfter(this._h)));
  }
  // What may be read after the end.
  _keep() {
    void this.deleteSet;
    return this;
  }
}

export class YEvent {
  constructor(target, currentTarget, transaction, keys, childListChanged, handle) {
    this.target = target;
    this.currentTarget = currentTarget;
    this.transaction = transaction;
    this.childListChanged = childListChanged;
    this.keysChanged = new Set(keys);
    Object.defineProperty(this, "_h", { value: handle });
  }
  get path() {
    return (this._path ??= native.eventPath(this._h));
  }
  get delta() {
    return (this._delta ??= native.eventDelta(this._h));
  }
  get keys() {
    return (this._keys ??= new Map(
      native.eventKeys(this._h).map(([key, action, oldValue]) => [key, { action, oldValue }]),
    ));
  }
  get changes() {
    if (this._changes === undefined) {
      const doc = this.target.doc;
      const lists = !(this instanceof YTextEvent); // texts' events name no items
      const items = (list) => new Set(lists ? list.map((fields) => structOf(doc, fields)) : []);
      this._changes = {
        added: items(native.eventAdded(this._h)),
        deleted: items(native.eventDeleted(this._h)),
        delta: this.delta,
        keys: this.keys,
      };
    }
    return this._changes;
  }
}
export class YArrayEvent extends YEvent {}
export class YMapEvent extends YEvent {}
export class YTextEvent extends YEvent {}
export class YXmlEvent extends YEvent {
  get attributesChanged() {
    return this.keysChanged;
  }
}

// --- shared types ---

export class AbstractType {
  constructor() {
    this.doc = null;
    this._h = null;
    this._observers = new Map();
  }
  // What was done before the type had a document, in the order in which Yjs does it then.
  _integrate() {}
  _bind(doc, index, handle) {
    this.doc = doc;
    this._h = handle;
    doc._types.set(index, this);
    return this;
  }
  _write(f) {
    ++this.doc._version;
    return f();
  }
  get _item() {
    const fields = this._h && native.item(this._h);
    return fields ? structOf(this.doc, fields) : null;
  }
  get _map() {
    return new Map(native.entryItems(this._h).map(([key, fields]) => [key, structOf(this.doc, fields)]));
  }
  get _start() {
    return linked(this.doc, native.items(this._h))[0] ?? null;
  }
  get parent() {
    return this._h && native.parent(this._h);
  }
  observe(f) {
    if (this._h === null) {
      (this._early ??= []).push(f);
      return;
    }
    this._observers.set(f, native.observe(this._h, (event) => f(event, event.transaction)));
  }
  unobserve(f) {
    if (this._observers.has(f)) native.unobserve(this._h, this._observers.get(f));
    this._observers.delete(f);
  }
  observeDeep(f) {
    this._deep ??= new Map();
    const deep = (events, transaction) => {
      for (const event of events) void event.path; // may be read later, unlike changes
      f(events, transaction);
    };
    this._deep.set(f, native.observeDeep(this._h, deep));
  }
  unobserveDeep(f) {
    if (this._deep?.has(f)) native.unobserve(this._h, this._deep.get(f));
    this._deep?.delete(f);
  }
  toJSON() {
    return native.toJson(this._h);
  }
}

// The type has its place now: what was kept for it happens.
function arrive(type, doc, [index, handle]) {
  type._bind(doc, index, handle);
  type._early?.forEach((f) => type.observe(f));
  type._integrate();
}
const isPlain = (value) => !(value instanceof AbstractType) && !(value instanceof Doc);
function checked(value) {
  if (typeof value === "function" || typeof value === "symbol") throw new Error("Unexpected content type");
  const freezes = typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
  return development && freezes ? deepFreeze(value) : value;
}

// Yjs makes one item of adjacent plain values and one of each type or document, in turn.
function insertInto(list, index, content) {
  const { doc } = list;
  const run = () => {
    for (let i = 0; i < content.length; ) {
      const value = content[i];
      if (value instanceof AbstractType) {
        const made = list._write(() => native.listInsertType(list._h, index, value._kind, value._name));
        arrive(value, doc, made);
        ++i;
        ++index;
      } else if (value instanceof Doc) {
        list._write(() => native.listInsertDoc(list._h, index, value._h));
        ++i;
        ++index;
      } else {
        let end = i + 1;
        while (end < content.length && isPlain(content[end])) ++end;
        const values = content.slice(i, end).map(checked);
        list._write(() => native.listInsert(list._h, index, values));
        index += end - i;
        i = end;
      }
    }
  };
  if (content.every(isPlain) && content.length > 0) run();
  else doc.transact(run);
}

function setIn(map, key, value) {
  if (value instanceof AbstractType) {
    map.doc.transact(() =>
      arrive(value, map.doc, map._write(() => native.mapSetType(map._h, key, value._kind, value._name))),
    );
  } else if (value instanceof Doc) {
    map._write(() => native.mapSetDoc(map._h, key, value._h));
  } else {
    map._write(() => native.mapSet(map._h, key, checked(value)));
  }
  return value;
}

class ListType extends AbstractType {
  _prelimContent = [];
  _integrate() {
    const content = this._prelimContent;
    this._prelimContent = null;
    if (content.length > 0) insertInto(this, 0, content);
  }
  get length() {
    return this._h === null ? this._prelimContent.length : native.listLength(this._h);
  }
  insert(index, content) {
    if (this._h === null) this._prelimContent.splice(index, 0, ...content);
    else insertInto(this, index, content);
  }
  push(content) {
    if (this._h === null) this._prelimContent.push(...content);
    else if (content.length > 0 && content.every(isPlain)) {
      const values = content.map(checked);
      this._write(() => native.listPush(this._h, values));
    } else if (content.length === 1 && content[0] instanceof AbstractType) {
      const [type] = content;
      this.doc.transact(() =>
        arrive(type, this.doc, this._write(() => native.listPushType(this._h, type._kind, type._name))),
      );
    } else insertInto(this, this.length, content);
  }
  unshift(content) {
    this.insert(0, content);
  }
  delete(index, length = 1) {
    if (this._h === null) this._prelimContent.splice(index, length);
    else this._write(() => native.listDelete(this._h, index, length));
  }
  get(index) {
    return native.listGet(this._h, index);
  }
  toArray() {
    return this._h === null ? this._prelimContent.slice() : native.listToArray(this._h);
  }
  slice(start = 0, end = this.length) {
    const { length } = this;
    if (start < 0) start += length;
    if (end < 0) end += length;
    return native.listSlice(this._h, start, end);
  }
  forEach(f) {
    this.toArray().forEach((value, index) => f(value, index, this));
  }
  map(f) {
    return this.toArray().map((value, index) => f(value, index, this));
  }
  [Symbol.iterator]() {
    return this.toArray()[Symbol.iterator]();
  }
  _cloneContent() {
    return this.toArray().map((value) => (value instanceof AbstractType ? value.clone() : value));
  }
}

export class YArray extends ListType {
  get _kind() {
    return 0;
  }
  static from(items) {
    const array = new YArray();
    array.push(items);
    return array;
  }
  clone() {
    return YArray.from(this._cloneContent());
  }
}

export class YMap extends AbstractType {
  constructor(entries) {
    super();
    this._prelimContent = new Map(entries);
  }
  get _kind() {
    return 1;
  }
  _integrate() {
    const content = this._prelimContent;
    this._prelimContent = null;
    content.forEach((value, key) => this.set(key, value));
  }
  get size() {
    return native.mapSize(this._h);
  }
  set(key, value) {
    if (this._h === null) this._prelimContent.set(key, value);
    else setIn(this, key, value);
    return value;
  }
  get(key) {
    if (this._h === null) return this._prelimContent.get(key);
    return typeof key === "string" ? native.mapGet(this._h, key) : undefined;
  }
  has(key) {
    return this._h === null ? this._prelimContent.has(key) : native.mapHas(this._h, key);
  }
  delete(key) {
    if (this._h === null) this._prelimContent.delete(key);
    else this._write(() => native.mapDelete(this._h, key));
  }
  clear() {
    if (this._h === null) this._prelimContent.clear();
    else this._write(() => native.mapClear(this._h));
  }
  *entries() {
    yield* native.mapEntries(this._h);
  }
  *keys() {
    for (const [key] of this.entries()) yield key;
  }
  *values() {
    for (const [, value] of this.entries()) yield value;
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  forEach(f) {
    for (const [key, value] of this.entries()) f(value, key, this);
  }
  clone() {
    const map = new YMap();
    for (const [key, value] of this.entries()) {
      map.set(key, value instanceof AbstractType ? value.clone() : value);
    }
    return map;
  }
}

export class YText extends AbstractType {
  constructor(text) {
    super();
    this._pending = text !== undefined ? [() => this.insert(0, text)] : [];
  }
  get _kind() {
    return 2;
  }
  _integrate() {
    const pending = this._pending;
    this._pending = null;
    pending.forEach((f) => f());
  }
  // Now, or when there is a document.
  _soon(f) {
    if (this._h === null) this._pending.push(f);
    else this._write(f);
  }
  get length() {
    return native.textLength(this._h);
  }
  insert(index, text, attributes) {
    if (text.length > 0) this._soon(() => native.textInsert(this._h, index, text, attributes));
  }
  insertEmbed(index, embed, attributes) {
    this._soon(() => {
      if (embed instanceof AbstractType) {
        const fill = (made) => arrive(embed, this.doc, made);
        native.textEmbedType(this._h, index, embed._kind, embed._name, attributes, fill);
      } else native.textEmbed(this._h, index, checked(embed), attributes);
    });
  }
  delete(index, length) {
    if (length !== 0) this._soon(() => native.textDelete(this._h, index, length));
  }
  format(index, length, attributes) {
    if (length !== 0) this._soon(() => native.textFormat(this._h, index, length, attributes));
  }
  applyDelta(delta, { sanitize = true } = {}) {
    this._soon(() => {
      const types = delta.map(({ insert }) =>
        insert instanceof AbstractType
          ? [insert._kind, insert._name, (made) => arrive(insert, this.doc, made)]
          : null,
      );
      const plain = delta.map((op, i) => (types[i] === null ? op : { ...op, insert: null }));
      native.textApplyDelta(this._h, plain, sanitize, types);
    });
  }
  toDelta(snapshot, previous, computeYChange) {
    const compute =
      computeYChange && ((type, [client, clock]) => computeYChange(type, new ID(client, clock)));
    if (snapshot != null || previous != null) ++this.doc._version;
    return native.textToDelta(this._h, flatSnapshot(snapshot), flatSnapshot(previous), compute);
  }
  toString() {
    return native.textToString(this._h);
  }
  toJSON() {
    return this.toString();
  }
  clone() {
    const text = new this.constructor();
    text.applyDelta(this.toDelta());
    return text;
  }
  setAttribute(name, value) {
    this._soon(() => setIn(this, name, value));
  }
  removeAttribute(name) {
    this._soon(() => native.mapDelete(this._h, name));
  }
  getAttribute(name) {
    return native.mapGet(this._h, name);
  }
  getAttributes() {
    return Object.fromEntries(native.mapEntries(this._h));
  }
}

class XmlListType extends ListType {
  get firstChild() {
    return native.firstChild(this._h);
  }
  insertAfter(reference, content) {
    if (this._h === null) {
      const index = reference === null ? 0 : this._prelimContent.indexOf(reference) + 1;
      if (index === 0 && reference !== null) throw new Error("Reference item not found");
      this._prelimContent.splice(index, 0, ...content);
      return;
    }
    this.doc.transact(() => {
      for (const type of content) {
        const made = this._write(() =>
          native.listInsertTypeAfter(this._h, reference?._h ?? null, type._kind, type._name),
        );
        arrive(type, this.doc, made);
        reference = type;
      }
    });
  }
  querySelectorAll(query) {
    query = query.toUpperCase();
    return native.descendants(this._h).filter((type) => type.nodeName?.toUpperCase() === query);
  }
  querySelector(query) {
    return this.querySelectorAll(query)[0] ?? null;
  }
  createTreeWalker(filter) {
    return native.descendants(this._h).filter(filter)[Symbol.iterator]();
  }
  toString() {
    return native.xmlToString(this._h);
  }
  toJSON() {
    return this.toString();
  }
}
export class YXmlFragment extends XmlListType {
  get _kind() {
    return 4;
  }
  clone() {
    const fragment = new YXmlFragment();
    fragment.insert(0, this._cloneContent());
    return fragment;
  }
}
const siblings = {
  nextSibling: {
    get() {
      return this._h && native.nextSibling(this._h);
    },
  },
  prevSibling: {
    get() {
      return this._h && native.previousSibling(this._h);
    },
  },
};
export class YXmlElement extends YXmlFragment {
  constructor(nodeName = "UNDEFINED") {
    super();
    this.nodeName = nodeName;
    this._prelimAttrs = new Map();
  }
  get _kind() {
    return 3;
  }
  get _name() {
    return this.nodeName;
  }
  _integrate() {
    super._integrate();
    const attributes = this._prelimAttrs;
    this._prelimAttrs = null;
    attributes.forEach((value, key) => this.setAttribute(key, value));
  }
  setAttribute(name, value) {
    if (this._h === null) this._prelimAttrs.set(name, value);
    else setIn(this, name, value);
  }
  removeAttribute(name) {
    if (this._h === null) this._prelimAttrs.delete(name);
    else this._write(() => native.mapDelete(this._h, name));
  }
  getAttribute(name) {
    return this._h === null ? this._prelimAttrs.get(name) : native.mapGet(this._h, name);
  }
  hasAttribute(name) {
    return native.mapHas(this._h, name);
  }
  getAttributes(snapshot) {
    return Object.fromEntries(
      snapshot
        ? native.mapEntriesAtSnapshot(this._h, flatSnapshot(snapshot))
        : native.mapEntries(this._h),
    );
  }
  clone() {
    const element = new YXmlElement(this.nodeName);
    for (const [key, value] of Object.entries(this.getAttributes())) element.setAttribute(key, value);
    element.insert(0, this._cloneContent());
    return element;
  }
}
Object.defineProperties(YXmlElement.prototype, siblings);
export class YXmlText extends YText {
  get _kind() {
    return 6;
  }
  toString() {
    return native.xmlToString(this._h);
  }
}
Object.defineProperties(YXmlText.prototype, siblings);
export class YXmlHook extends YMap {
  constructor(hookName) {
    super();
    this.hookName = hookName;
  }
  get _kind() {
    return 5;
  }
  get _name() {
    return this.hookName;
  }
}

const CLASSES = [YArray, YMap, YText, YXmlElement, YXmlFragment, YXmlHook, YXmlText];
const EVENTS = [YArrayEvent, YMapEvent, YTextEvent, YXmlEvent, YXmlEvent, YMapEvent, YTextEvent];
const kindOf = (constructor) => {
  const kind = CLASSES.findIndex((known) => constructor === known);
  return kind < 0 ? 15 : kind;
};

// The items of one list, linked.
function linked(doc, list) {
  const items = list.map((fields) => structOf(doc, fields));
  items.forEach((item, i) => {
    item.left = items[i - 1] ?? null;
    item.right = items[i + 1] ?? null;
  });
  return items;
}
export const getTypeChildren = (type) => linked(type.doc, native.items(type._h));
export const cleanupYTextFormatting = (type) => type._write(() => native.cleanUpFormatting(type._h));
export const typeListToArraySnapshot = (type, snapshot) => native.listAtSnapshot(type._h, flatSnapshot(snapshot));
export const typeMapGetSnapshot = (type, key, snapshot) =>
  native.mapGetAtSnapshot(type._h, key, flatSnapshot(snapshot));
export const typeMapGetAllSnapshot = (type, snapshot) =>
  Object.fromEntries(native.mapEntriesAtSnapshot(type._h, flatSnapshot(snapshot)));

// --- documents ---

// Weak: an engine's document that only its JavaScript object holds goes with it.
const docs = new Map();
const gone = new FinalizationRegistry((key) => {
  if (docs.get(key)?.deref() === undefined) docs.delete(key);
});
const NATIVE_EVENTS = {
  beforeAllTransactions: [0, (doc) => [doc]],
  beforeTransaction: [1, (doc, tr) => [tr, doc]],
  beforeObserverCalls: [2, (doc, tr) => [tr, doc]],
  afterTransaction: [3, (doc, tr) => [tr._keep(), doc]],
  afterTransactionCleanup: [4, (doc, tr) => [tr, doc]],
  afterAllTransactions: [5, (doc, tr) => [doc, [tr]]],
  update: [10, (doc, update, tr) => [update, tr.origin, doc, tr]],
  updateV2: [11, (doc, update, tr) => [update, tr.origin, doc, tr]],
  subdocs: [
    12,
    (doc, added, removed, loaded, tr) => [
      { added: new Set(added), removed: new Set(removed), loaded: new Set(loaded) },
      doc,
      tr,
    ],
  ],
  destroy: [13, (doc) => [doc]],
};

let adopted = null; // a handle that already is, for the constructor

export class Doc extends ObservableV2 {
  constructor({
    guid = random.uuidv4(),
    collectionid = null,
    gc = true,
    gcFilter,
    meta = null,
    autoLoad = false,
    shouldLoad = true,
  } = {}) {
    super();
    const weak = new WeakRef(this);
    const filter = gcFilter && ((fields) => gcFilter(structOf(weak.deref(), fields)));
    const handle =
      adopted ?? native.newDoc({ guid, gc, gcFilter: filter, meta, autoLoad, shouldLoad });
    adopted = null;
    const key = native.docKey(handle);
    docs.set(key, weak);
    gone.register(this, key);
    Object.defineProperty(this, "_h", { value: handle });
    Object.defineProperty(this, "_types", { value: new Map() });
    Object.defineProperty(this, "_listening", { value: new Set() });
    Object.defineProperty(this, "_version", { value: 0, writable: true });
    Object.defineProperty(this, "store", { value: new StructStore(this) });
    this.collectionid = collectionid;
    this.isLoaded = false;
    this.isSynced = false;
    this.isDestroyed = false;
    this.whenLoaded = new Promise((resolve) => {
      this.on("load", () => {
        this.isLoaded = true;
        resolve(this);
      });
    });
    const synced = () =>
      new Promise((resolve) => {
        const listener = (isSynced) => {
          if (isSynced === false) return;
          this.off("sync", listener);
          resolve();
        };
        this.on("sync", listener);
      });
    this.on("sync", (isSynced) => {
      if (isSynced === false && this.isSynced) this.whenSynced = synced();
      this.isSynced = isSynced !== false;
      if (this.isSynced && !this.isLoaded) this.emit("load", [this]);
    });
    this.whenSynced = synced();
  }
  on(name, f) {
    this.#listen(name);
    return super.on(name, f);
  }
  once(name, f) {
    this.#listen(name);
    return super.once(name, f);
  }
  // The engine is asked for an event once somebody wants it.
  #listen(name) {
    const known = NATIVE_EVENTS[name];
    if (known === undefined || this._listening.has(name)) return;
    this._listening.add(name);
    const weak = new WeakRef(this);
    native.on(this._h, known[0], (...details) => {
      const doc = weak.deref();
      if (doc === undefined) return;
      ++doc._version;
      doc.emit(name, known[1](doc, ...details));
    });
  }
  get clientID() {
    return native.clientId(this._h);
  }
  set clientID(client) {
    native.setClientId(this._h, client);
  }
  get guid() {
    return native.guid(this._h);
  }
  get gc() {
    return native.gc(this._h);
  }
  set gc(on) {
    native.setGc(this._h, on);
  }
  get meta() {
    return native.meta(this._h);
  }
  get autoLoad() {
    return native.autoLoad(this._h);
  }
  get shouldLoad() {
    return native.shouldLoad(this._h);
  }
  get subdocs() {
    return new Set(native.subdocs(this._h));
  }
  getSubdocs() {
    return this.subdocs;
  }
  getSubdocGuids() {
    return new Set([...this.subdocs].map((doc) => doc.guid));
  }
  get share() {
    return new Map(native.roots(this._h));
  }
  transact(f, origin = null) {
    return transact(this, f, origin);
  }
  get(name, constructor = AbstractType) {
    return native.getRoot(this._h, name, kindOf(constructor));
  }
  getArray(name = "") {
    return this.get(name, YArray);
  }
  getText(name = "") {
    return this.get(name, YText);
  }
  getMap(name = "") {
    return this.get(name, YMap);
  }
  getXmlElement(name = "") {
    return this.get(name, YXmlElement);
  }
  getXmlFragment(name = "") {
    return this.get(name, YXmlFragment);
  }
  toJSON() {
    return native.docToJson(this._h);
  }
  load() {
    native.load(this._h);
  }
  destroy() {
    this.isDestroyed = true;
    ++this._version;
    native.destroy(this._h);
    this.emit("destroyed", [true]);
    super.destroy();
  }
}

function adopt(handle) {
  const known = docs.get(native.docKey(handle))?.deref();
  if (known !== undefined) return known;
  adopted = handle;
  return new Doc();
}

export function transact(doc, f, origin = null, local = true) {
  ++doc._version;
  return native.transact(doc._h, f, origin, local);
}

class StackItem {
  meta = new Map();
}

let lastTransaction = { key: "" };
native.setHost([
  // findType(document, index, kind)
  (key, index, kind) => {
    const type = docs.get(key)?.deref()?._types.get(index);
    return type !== undefined && (kind === 15 || type._kind === kind) ? type : undefined;
  },
  // newType(doc, index, kind, name, handle)
  (doc, index, kind, name, handle) => {
    const type = new (CLASSES[kind] ?? AbstractType)(name);
    type._prelimContent = type._prelimAttrs = type._pending = null;
    return type._bind(doc, index, handle);
  },
  // wrapDoc(document, handle)
  (key, handle) => docs.get(key)?.deref() ?? adopt(handle),
  // transaction(doc, serial, handle, origin, local)
  (doc, serial, handle, origin, local) => {
    if (lastTransaction.serial !== serial || lastTransaction.made?.doc !== doc) {
      lastTransaction = { serial, made: new Transaction(doc, handle, origin, local) };
    }
    return lastTransaction.made;
  },
  // event(target, currentTarget, transaction, keys, childListChanged, handle)
  (target, ...rest) => new (EVENTS[target._kind] ?? YEvent)(target, ...rest),
  () => new StackItem(),
]);

// --- updates ---

export const applyUpdate = (doc, update, origin = null) => {
  ++doc._version;
  native.applyUpdate(doc._h, update, 1, origin);
};
export const applyUpdateV2 = (doc, update, origin = null) => {
  ++doc._version;
  native.applyUpdate(doc._h, update, 2, origin);
};
export const encodeStateAsUpdate = (doc, state) => native.encodeStateAsUpdate(doc._h, state, 1);
export const encodeStateAsUpdateV2 = (doc, state) => native.encodeStateAsUpdate(doc._h, state, 2);
export const encodeStateVector = (doc) =>
  doc instanceof Map ? native.encodeState(flatState(doc)) : native.encodeStateVector(doc._h);
export const decodeStateVector = (bytes) => mapOfState(native.decodeState(bytes));
export const mergeUpdates = (updates) => native.mergeUpdates(updates, 1);
export const mergeUpdatesV2 = (updates) => native.mergeUpdates(updates, 2);
export const diffUpdate = (update, state) => native.diffUpdate(update, state, 1);
export const diffUpdateV2 = (update, state) => native.diffUpdate(update, state, 2);
export const encodeStateVectorFromUpdate = (update) => native.stateVectorOfUpdate(update, 1);
export const encodeStateVectorFromUpdateV2 = (update) => native.stateVectorOfUpdate(update, 2);
export const convertUpdateFormatV1ToV2 = (update) => native.convertUpdate(update, 1);
export const convertUpdateFormatV2ToV1 = (update) => native.convertUpdate(update, 2);
export const obfuscateUpdate = (update) => native.obfuscateUpdate(update, 1);
export const obfuscateUpdateV2 = (update) => native.obfuscateUpdate(update, 2);
const metaOf = ([from, to]) => ({ from: mapOfState(from), to: mapOfState(to) });
export const parseUpdateMeta = (update) => metaOf(native.updateMeta(update, 1));
export const parseUpdateMetaV2 = (update) => metaOf(native.updateMeta(update, 2));
export function logUpdate() {
  throw new Error("the shim logs no updates");
}
export const logUpdateV2 = logUpdate;

// The delete set of an update, as updates.tests.js takes it out of one and puts it into another: a
// decoder that knows its bytes, an encoder that holds a delete set.
export class UpdateDecoderV2 {
  constructor(decoder) {
    this.update = decoder.arr;
  }
}
export class DSDecoderV1 {
  constructor(decoder) {
    this.bytes = decoder.arr;
  }
}
export const readClientsStructRefs = () => new Map();
export const readDeleteSet = (decoder) =>
  deleteSetOf(
    decoder instanceof DSDecoderV1
      ? native.decodeDeleteSet(decoder.bytes)
      : native.deleteSetOfUpdate(decoder.update, 2),
  );
export class UpdateEncoderV2 {
  restEncoder = encoding.createEncoder();
  toUint8Array() {
    return native.updateOfDeletes(flatDeleteSet(this.deletes), 2);
  }
}
export class DSEncoderV1 {
  toUint8Array() {
    return native.encodeDeleteSet(flatDeleteSet(this.deletes));
  }
}
export const writeDeleteSet = (encoder, set) => {
  encoder.deletes = set;
};
// The table of readers, by content reference; encoding.tests.js compares its order.
const reader = (name) => ({ [name]: () => { throw new Error("the engine reads contents"); } })[name];
export const readContentDeleted = reader("readContentDeleted");
export const readContentJSON = reader("readContentJSON");
export const readContentBinary = reader("readContentBinary");
export const readContentString = reader("readContentString");
export const readContentEmbed = reader("readContentEmbed");
export const readContentFormat = reader("readContentFormat");
export const readContentType = reader("readContentType");
export const readContentAny = reader("readContentAny");
export const readContentDoc = reader("readContentDoc");
const readers = [
  readContentDeleted,
  readContentJSON,
  readContentBinary,
  readContentString,
  readContentEmbed,
  readContentFormat,
  readContentType,
  readContentAny,
  readContentDoc,
];
export const contentRefs = [
  null,
  ...native.contentNames().map((name) => readers.find((known) => known.name === `readContent${name}`)),
  null,
];

// --- relative positions ---

export class RelativePosition {
  constructor(type, tname, item, assoc = 0) {
    this.type = type;
    this.tname = tname;
    this.item = item;
    this.assoc = assoc;
  }
}
export class AbsolutePosition {
  constructor(type, index, assoc = 0) {
    this.type = type;
    this.index = index;
    this.assoc = assoc;
  }
}
const positionOf = ([tc, tk, name, ic, ik, assoc]) =>
  new RelativePosition(
    tc === null ? null : new ID(tc, tk),
    name,
    ic === null ? null : new ID(ic, ik),
    assoc,
  );
const flatPosition = ({ type, tname, item, assoc }) => [
  type?.client ?? null,
  type?.clock ?? null,
  tname ?? null,
  item?.client ?? null,
  item?.clock ?? null,
  assoc,
];
export const createRelativePositionFromTypeIndex = (type, index, assoc = 0) =>
  positionOf(native.makePosition(type._h, index, assoc));
export const createAbsolutePositionFromRelativePosition = (position, doc, follow = true) => {
  const found = native.resolvePosition(flatPosition(position), doc._h, follow);
  return found && new AbsolutePosition(...found);
};
export const encodeRelativePosition = (position) => native.encodePosition(flatPosition(position));
export const decodeRelativePosition = (bytes) => positionOf(native.decodePosition(bytes));
export const compareRelativePositions = (a, b) =>
  a === b || (a != null && b != null && String(flatPosition(a)) === String(flatPosition(b)));

// --- undo ---

export class UndoManager extends ObservableV2 {
  constructor(
    scope,
    {
      captureTimeout = 500,
      captureTransaction = () => true,
      deleteFilter = () => true,
      trackedOrigins = new Set([null]),
      ignoreRemoteMapChanges = false,
      doc = Array.isArray(scope) ? scope[0].doc : scope instanceof Doc ? scope : scope.doc,
    } = {},
  ) {
    super();
    this.doc = doc;
    this.trackedOrigins = trackedOrigins;
    trackedOrigins.add(this);
    const weak = new WeakRef(this);
    const options = {
      captureTimeout,
      ignoreRemoteMapChanges,
      captureTransaction,
      deleteFilter: (fields) => deleteFilter(structOf(doc, fields)),
      tracksNull: trackedOrigins.has(null),
      tracks: (origin) => trackedOrigins.has(origin) || (!!origin && trackedOrigins.has(origin.constructor)),
    };
    const types = scope instanceof Doc ? null : [scope].flat().map((type) => type._h);
    this._h = native.newUndoManager(doc._h, types, options, () => weak.deref());
    native.undoOn(this._h, (name, undo, stackItem, origin, types, undoCleared, redoCleared) => {
      const manager = weak.deref();
      if (manager === undefined) return;
      const event =
        name === "stack-cleared"
          ? { undoStackCleared: undoCleared, redoStackCleared: redoCleared }
          : {
              stackItem,
              origin,
              type: undo ? "undo" : "redo",
              changedParentTypes: new Map(types.map((type) => [type, []])),
            };
      manager.emit(name, [event, manager]);
    });
    doc.on("destroy", () => weak.deref()?.destroy());
  }
  addToScope(types) {
    for (const type of [types].flat()) native.undoAddScope(this._h, type._h);
  }
  addTrackedOrigin(origin) {
    this.trackedOrigins.add(origin);
  }
  removeTrackedOrigin(origin) {
    this.trackedOrigins.delete(origin);
  }
  undo() {
    ++this.doc._version;
    return native.undo(this._h);
  }
  redo() {
    ++this.doc._version;
    return native.redo(this._h);
  }
  canUndo() {
    return this.undoStack.length > 0;
  }
  canRedo() {
    return this.redoStack.length > 0;
  }
  clear(undoStack = true, redoStack = true) {
    native.undoClear(this._h, undoStack, redoStack);
  }
  stopCapturing() {
    native.undoStopCapturing(this._h);
  }
  get undoStack() {
    return native.undoStack(this._h, true);
  }
  get redoStack() {
    return native.undoStack(this._h, false);
  }
  get undoing() {
    return native.undoState(this._h)[0];
  }
  get redoing() {
    return native.undoState(this._h)[1];
  }
  get currStackItem() {
    return native.undoCurrentItem(this._h);
  }
  destroy() {
    this.trackedOrigins.delete(this);
    native.undoDestroy(this._h);
    super.destroy();
  }
}

export {
  YArray as Array,
  YMap as Map,
  YText as Text,
  YXmlElement as XmlElement,
  YXmlFragment as XmlFragment,
  YXmlHook as XmlHook,
  YXmlText as XmlText,
};
