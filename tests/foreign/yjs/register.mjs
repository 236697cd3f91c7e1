// SPDX-License-Identifier: MIT
// node --import register.mjs CHECKOUT/tests/index.js, with LATTICE_YJS_CHECKOUT in the environment.
import { register } from "node:module";

register("./loader.mjs", import.meta.url, {
  data: {
    checkout: process.env.LATTICE_YJS_CHECKOUT,
    here: import.meta.dirname,
    itself: process.env.LATTICE_YJS_ITSELF === "1",
  },
});
