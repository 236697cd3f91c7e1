// SPDX-License-Identifier: MIT
// measure.hpp for the programs under node: options, the clock, the line of one case.
const quick = process.env.LATTICE_BENCH_QUICK === "1";
export const options = { prefix: "", iterations: quick ? 50 : 500, quick };
for (let i = 2; i + 1 < process.argv.length; i += 2) {
  if (process.argv[i] === "--case") options.prefix = process.argv[i + 1];
  if (process.argv[i] === "--iterations") options.iterations = Number(process.argv[i + 1]);
}

export const wants = (name) => name.startsWith(options.prefix);

export function check(held, what) {
  if (!held) {
    console.error(`wrong result in ${what}`);
    process.exit(1);
  }
}

// With LATTICE_BENCH_CLOCK=cpu the processor time of all of node's threads.
const ofCpu = process.env.LATTICE_BENCH_CLOCK === "cpu";
function nowNs() {
  if (!ofCpu) return Number(process.hrtime.bigint());
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

export function timeNs(body) {
  const start = nowNs();
  body();
  return nowNs() - start;
}

export const nextTick = () => new Promise((resolve) => setTimeout(resolve, 0));

export async function fastestNs(repetitions, body) {
  let best = Infinity;
  for (let i = 0; i < repetitions; i++) {
    await nextTick();
    best = Math.min(best, timeNs(body));
  }
  return best;
}

export function print(name, value, { unit = "ns", same, beside } = {}) {
  console.log(JSON.stringify({ case: name, [unit]: Math.round(value * 1e4) / 1e4, same, beside }));
}
