// SPDX-License-Identifier: MIT
import * as Y from "yjs";
import { play } from "./cases.mjs";

const text = (doc) => {
  const type = doc.getText("t");
  return {
    insert: (index, string) => type.insert(index, string),
    delete: (index, count) => type.delete(index, count),
    get length() {
      return type.length;
    },
    toString: () => type.toString(),
    value: () => type.toString(),
  };
};

play({
  create(client) {
    const doc = new Y.Doc();
    doc.clientID = client;
    return doc;
  },
  onUpdate: (doc, f) => doc.on("update", f),
  transact: (doc, f) => doc.transact(f),
  text,
  list(doc) {
    const type = doc.getArray("l");
    return { insert: (index, values) => type.insert(index, values), value: () => type.toJSON() };
  },
  map(doc) {
    const type = doc.getMap("m");
    return {
      set: (key, value) => type.set(key, value),
      delete: (key) => type.delete(key),
      value: () => type.toJSON(),
    };
  },
  apply: (doc, update) => Y.applyUpdate(doc, update),
  applyV2: (doc, update) => Y.applyUpdateV2(doc, update),
  save: (doc, state) => Y.encodeStateAsUpdate(doc, state),
  saveV2: (doc) => Y.encodeStateAsUpdateV2(doc),
  merge: (updates) => Y.mergeUpdates(updates),
  stateAfter(updates) {
    const doc = new Y.Doc();
    for (const update of updates) Y.applyUpdate(doc, update);
    return Y.encodeStateVector(doc);
  },
});
