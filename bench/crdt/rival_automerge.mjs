// SPDX-License-Identifier: MIT
// Documents of Automerge are values: `create` makes a holder of the current one. A change takes it
// milliseconds, so it plays a few of the cases.
import * as A from "@automerge/automerge";
import { play } from "./cases.mjs";

const ORIGIN = A.save(A.from({ t: "", l: [], m: {} }, { actor: "00" }));
const editing = new Map(); // holder -> the draft, while transact runs

const draftOf = (holder) => editing.get(holder) ?? holder.doc;

play(
  {
    create(client) {
      const actor = client.toString(16).padStart(8, "0");
      return { doc: A.load(ORIGIN, { actor }), listener: null };
    },
    onUpdate(holder, f) {
      holder.listener = f;
    },
    transact(holder, f) {
      holder.doc = A.change(holder.doc, (draft) => {
        editing.set(holder, draft);
        f();
        editing.delete(holder);
      });
      holder.listener?.(A.getLastLocalChange(holder.doc));
    },
    text(holder) {
      return {
        insert: (index, string) => A.splice(draftOf(holder), ["t"], index, 0, string),
        delete: (index, count) => A.splice(draftOf(holder), ["t"], index, count),
        get length() {
          return draftOf(holder).t.length;
        },
        toString: () => draftOf(holder).t,
        value: () => draftOf(holder).t,
      };
    },
    list(holder) {
      return {
        insert: (index, values) => A.insertAt(draftOf(holder).l, index, ...values),
        value: () => draftOf(holder).l,
      };
    },
    map(holder) {
      return {
        set(key, value) {
          draftOf(holder).m[key] = value;
        },
        value: () => draftOf(holder).m,
      };
    },
    apply(holder, update) {
      const changes = Array.isArray(update) ? update : [update];
      [holder.doc] = A.applyChanges(holder.doc, changes);
    },
    save: (holder) => A.getAllChanges(holder.doc),
    free: (holder) => A.free(holder.doc),
  },
  {
    b4: false,
    hard: false,
    only: [
      "b1/1.1 append characters",
      "b1/1.2 insert string",
      "b1/1.4 random characters",
      "b2/2.1 concurrent string at 0",
      "b3/3.1 number in map",
    ],
  },
);
