// SPDX-License-Identifier: MIT
// Runs the npm package reactive-framework-test-suite, unmodified, against the C++ core.
//
//   node run.mjs ADDON BUILD_DIR [--record] [FILTER]
//
// Cases that assert must pass; a skipped one has failed. The suite's "behavioural" cases report how
// a framework behaves where several answers are right: ours are chosen, and written down with their
// reasons in docs/reactive/policies.md and as data in policies.json. --record writes that file anew.
// The last line is `N passed, N failed`.

import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { lattice } from "./adapter.mjs";

const CASES = 179; // a change of this number is a change of the suite
const POLICIES = new URL("policies.json", import.meta.url);

const record = process.argv.includes("--record");
const [addonFile, buildDir, filter] = process.argv.slice(2).filter((word) => word !== "--record");

// The package is TypeScript source, which Node does not load from node_modules.
async function loadSuite() {
  const outfile = join(resolve(buildDir), "reactive_framework_test_suite.mjs");
  await build({
    entryPoints: ["reactive-framework-test-suite"],
    absWorkingDir: import.meta.dirname,
    bundle: true,
    format: "esm",
    platform: "node",
    outfile,
    logLevel: "error",
  });
  return import(pathToFileURL(outfile).href);
}

const addon = createRequire(import.meta.url)(resolve(addonFile));
const framework = lattice(addon);
const { testSuite } = await loadSuite();
const policies = JSON.parse(await readFile(POLICIES, "utf8"));

async function difference(section, name, body) {
  addon.reset();
  try {
    const answer = await body(framework);
    if (section.type !== "behavioral") return null;
    if (record) policies[name] = answer;
    return policies[name] === answer
      ? null
      : `answers ${JSON.stringify(answer)}, chosen is ${JSON.stringify(policies[name])}`;
  } catch (error) {
    return error?.message ?? String(error);
  }
}

let passed = 0;
let failed = 0;
function fail(what) {
  ++failed;
  console.log(`FAIL ${what}`);
}

for (const section of testSuite) {
  for (const [name, body] of Object.entries(section.cases)) {
    if (filter !== undefined && !name.includes(filter)) continue;
    const found = await difference(section, name, body);
    if (found === null) ++passed;
    else fail(`${section.section}: ${name}: ${found.split("\n")[0]}`);
  }
}
if (filter === undefined && passed + failed !== CASES) {
  fail(`the suite has ${passed + failed} cases, expected ${CASES}`);
}
if (record) await writeFile(POLICIES, `${JSON.stringify(policies, null, 2)}\n`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
