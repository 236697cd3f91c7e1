// SPDX-License-Identifier: MIT
// Runs Yjs's own test suite, a checkout of its sources of the 13.6 line, against the C++ engine.
//
//   node suite.mjs ADDON CHECKOUT [--itself] [--filter PATTERN] [--fast] [--verbose]
//
// The suite's own tests/index.js runs, unmodified (loader.mjs puts the shim where it imports Yjs).
// Six of its fuzzers skip themselves outside of "production"; they run in a second process that says
// so, because no test is skipped: --fast leaves out the two of them that take minutes under Yjs
// itself, and reports them as failed. A process that dies or hangs costs the test it was in; the next
// process goes on after it. --itself runs the suite against the checkout's own Yjs.
// Prints each test that does not pass with its reason; the last line is `N passed, N failed`.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join, resolve } from "node:path";
import { readFileSync } from "node:fs";

const SILENCE_SECONDS_MAX = 3600; // without a line of output, a test hangs; the longest takes minutes of an idle core

const flags = process.argv.slice(2);
const has = (flag) => flags.includes(flag) && flags.splice(flags.indexOf(flag), 1).length > 0;
const itself = has("--itself");
const fast = has("--fast");
const verbose = has("--verbose");
let filter = ".*";
const filterAt = flags.indexOf("--filter");
if (filterAt >= 0) [, filter] = flags.splice(filterAt, 2);
const [addon, checkout] = flags.map((path) => resolve(path));

const { version } = JSON.parse(readFileSync(join(checkout, "package.json"), "utf8"));
const results = new Map(); // number -> {name, state, reason}
let total = 0;

// One process over the tests whose heading matches; returns the number it died in, or null.
function runProcess(pattern, production) {
  const child = spawn(
    process.execPath,
    [
      "--import",
      join(import.meta.dirname, "register.mjs"),
      join(checkout, "tests/index.js"),
      "--repetition-time",
      "50",
      "--filter",
      pattern,
      ...(production ? ["--production"] : []),
    ],
    {
      env: {
        ...process.env,
        NODE_ENV: "development",
        LATTICE_YJS_ADDON: addon,
        LATTICE_YJS_CHECKOUT: checkout,
        LATTICE_YJS_ITSELF: itself ? "1" : "",
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  return new Promise((done) => {
    let current = null;
    let said = [];
    let silence;
    const watch = () => {
      clearTimeout(silence);
      silence = setTimeout(() => child.kill("SIGKILL"), SILENCE_SECONDS_MAX * 1000);
    };
    watch();
    const take = (line) => {
      watch();
      if (verbose) console.log(line);
      const heading = /^\s*\[(\d+)\/(\d+)\] (.*)$/.exec(line);
      const verdict = /^\s*(Success|Failure|Skipped): /.exec(line);
      if (heading !== null) {
        current = Number(heading[1]);
        total = Number(heading[2]);
        said = [];
        results.set(current, { name: heading[3].trim(), state: "Died", reason: "" });
      } else if (verdict !== null && current !== null) {
        const result = results.get(current);
        result.state = verdict[1];
        result.reason = reasonIn(said);
        current = null;
      } else said.push(line);
    };
    createInterface({ input: child.stdout }).on("line", take);
    createInterface({ input: child.stderr }).on("line", take);
    child.on("close", (code, signal) => {
      clearTimeout(silence);
      if (current === null) {
        if (results.size === 0) console.log(said.slice(-20).join("\n"));
        done(null);
        return;
      }
      const why = signal === null ? `exit code ${code}` : `signal ${signal}`;
      results.get(current).reason = `the process ended with ${why}: ${reasonIn(said)}`;
      done(current);
    });
  });
}

function reasonIn(lines) {
  const at = lines.findLastIndex((line) => /\bX |Error\b/.test(line));
  if (at < 0) return "";
  const shown = lines.slice(at).filter((line) => line.trim() !== "");
  const place = shown.find((line) => /tests\/[\w.-]+\.js:\d+/.test(line));
  const where = /tests\/([\w.-]+\.js:\d+)/.exec(place ?? "");
  return `${shown[0].trim()}${where === null ? "" : ` (${where[1]})`}`;
}

const numbered = (numbers) => `^\\[(${numbers.join("|")})/`;

async function runAll(pattern, production, wanted) {
  let died = await runProcess(pattern, production);
  while (died !== null) {
    const rest = [];
    for (let i = died + 1; i <= total; ++i) if (wanted(i)) rest.push(i);
    if (rest.length === 0) return;
    died = await runProcess(numbered(rest), production);
  }
}

console.log(`Yjs ${version}: its own suite against ${itself ? "itself" : "Lattice"}`);
await runAll(filter, false, (i) => filter === ".*" || results.has(i) === false);
const skipped = [...results].filter(([, result]) => result.state === "Skipped").map(([i]) => i);
const long = (i) => fast && /tests(100000|30000)/.test(results.get(i).name);
const production = skipped.filter((i) => !long(i));
if (production.length > 0) {
  await runAll(numbered(production), true, (i) => production.includes(i));
}

let passed = 0;
const failures = [];
for (const [number, { name, state, reason }] of [...results].sort(([a], [b]) => a - b)) {
  if (state === "Success") ++passed;
  else failures.push(`FAIL yjs [${number}/${total}] ${name}: ${reason || state}`);
}
if (filter === ".*" && results.size !== total) {
  failures.push(`FAIL yjs: ${results.size} of ${total} tests ran`);
}
for (const failure of failures) console.log(failure);
console.log(`${passed} of ${total} of Yjs's own tests pass`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 && total > 0 ? 0 : 1;
