// SPDX-License-Identifier: MIT
// What Yjs's tests import: the shim, and the checkout's own PermanentUserData on top of it.
const checkout = process.env.LATTICE_YJS_CHECKOUT;

export * from "./shim.mjs";
export const { PermanentUserData } = await import(`${checkout}/src/utils/PermanentUserData.js`);
