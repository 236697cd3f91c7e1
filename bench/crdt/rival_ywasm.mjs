// SPDX-License-Identifier: MIT
// Yrs through WebAssembly. Its local edits of the long trace take minutes, so it plays b1 to b3.
import * as Y from "ywasm";
import { play } from "./cases.mjs";

const open = new Map(); // document -> its transaction, while transact runs
const within = (doc) => open.get(doc);

play(
  {
    create: (client) => new Y.YDoc({ clientID: client }),
    onUpdate: (doc, f) => doc.onUpdate((event) => f(event instanceof Uint8Array ? event : event.update)),
    transact(doc, f) {
      const transaction = doc.beginTransaction();
      open.set(doc, transaction);
      f();
      open.delete(doc);
      transaction.commit();
      transaction.free();
    },
    text(doc) {
      const type = doc.getText("t");
      return {
        insert: (index, string) => type.insert(index, string, undefined, within(doc)),
        delete: (index, count) => type.delete(index, count, within(doc)),
        get length() {
          return type.length(within(doc));
        },
        toString: () => type.toString(within(doc)),
        value: () => type.toString(within(doc)),
      };
    },
    list(doc) {
      const type = doc.getArray("l");
      return {
        insert: (index, values) => type.insert(index, values, within(doc)),
        value: () => type.toJson(within(doc)),
      };
    },
    map(doc) {
      const type = doc.getMap("m");
      return {
        set: (key, value) => type.set(key, value, within(doc)),
        value: () => type.toJson(within(doc)),
      };
    },
    apply: (doc, update) => Y.applyUpdate(doc, update, undefined),
    save: (doc) => Y.encodeStateAsUpdate(doc),
    free: (doc) => doc.free(),
  },
  { b4: false, hard: false },
);
