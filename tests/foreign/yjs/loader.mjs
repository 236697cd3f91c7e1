// SPDX-License-Identifier: MIT
// Node's module hooks that put the shim where Yjs's suite imports Yjs. Not a byte of the suite changes:
// its `../src/index.js`, `../src/internals.js` and y-protocols' `yjs` become one module. lib0 and
// y-protocols are the pinned ones of this folder, so that a checkout needs no npm packages.
//
// The checkout's PermanentUserData.js runs as it is: an application of arrays and maps, no part of
// the engine. What it imports is the shim again.
import { pathToFileURL } from "node:url";

let checkout;
let target; // of imports of Yjs itself
let core; // the same without PermanentUserData, which imports it
let here;

export async function initialize(data) {
  checkout = pathToFileURL(`${data.checkout}/`).href;
  here = pathToFileURL(`${data.here}/`).href;
  target = data.itself ? new URL("src/index.js", checkout).href : new URL("entry.mjs", here).href;
  core = data.itself ? undefined : new URL("shim.mjs", here).href;
}

export async function resolve(specifier, context, next) {
  const parent = context.parentURL ?? "";
  if (specifier === "yjs") return { url: target, shortCircuit: true };
  if (/^(lib0|y-protocols)(\/|$)/.test(specifier)) {
    return next(specifier, { ...context, parentURL: new URL("loader.mjs", here).href });
  }
  if (core !== undefined && parent.startsWith(checkout) && specifier.startsWith(".")) {
    const url = new URL(specifier, parent).href;
    if (url.startsWith(new URL("src/", checkout).href)) {
      return { url: parent.includes("/src/") ? core : target, shortCircuit: true };
    }
  }
  return next(specifier, context);
}
