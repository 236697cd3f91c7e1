// SPDX-License-Identifier: MIT
import { LoroDoc } from "loro-crdt";
import { play } from "./cases.mjs";

play(
  {
    create(client) {
      const doc = new LoroDoc();
      doc.setPeerId(BigInt(client));
      return doc;
    },
    onUpdate: (doc, f) => doc.subscribeLocalUpdates(f),
    transact(doc, f) {
      f();
      doc.commit();
    },
    text(doc) {
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
    },
    list(doc) {
      const type = doc.getList("l");
      return {
        insert: (index, values) => values.forEach((value, i) => type.insert(index + i, value)),
        value: () => type.toJSON(),
      };
    },
    map(doc) {
      const type = doc.getMap("m");
      return { set: (key, value) => type.set(key, value), value: () => type.toJSON() };
    },
    apply: (doc, update) => doc.import(update),
    save: (doc) => doc.export({ mode: "update" }),
    saveOwn: (doc) => doc.export({ mode: "snapshot" }),
    loadOwn: (bytes) => LoroDoc.fromSnapshot(bytes),
    free: (doc) => doc.free(),
  },
  { slow: true, hard: false },
);
