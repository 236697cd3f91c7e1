// SPDX-License-Identifier: MIT
// Bundles the tests, runs them under node's test runner, ends with `N passed, N failed`.
// `unit` plays the browser with happy-dom; `browser` drives Chromium, where there is one.

import { build } from 'esbuild';
import { readdir, rm } from 'node:fs/promises';
import { spec } from 'node:test/reporters';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const folder = process.argv[2] === 'browser' ? 'tests/browser' : 'tests';
const entryPoints = (await readdir(folder))
  .filter((name) => name.endsWith('_test.ts'))
  .map((name) => `${folder}/${name}`);
const outdir = `dist-tests/${folder}`;
await rm(outdir, { recursive: true, force: true });
await build({
  entryPoints,
  outdir,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'es2022',
  outExtension: { '.js': '.mjs' },
  sourcemap: 'inline',
  logLevel: 'warning',
});

const counts = { passed: 0, failed: 0, skipped: 0 };
const files = entryPoints.map((name) => `${outdir}/${name.slice(folder.length + 1, -3)}.mjs`);
const count = (outcome) => (test) => {
  if (test.details.type === 'suite') return;
  counts[test.skip === undefined ? outcome : 'skipped'] += 1;
};
const stream = run({ files, concurrency: 2 });
stream.on('test:pass', count('passed'));
stream.on('test:fail', count('failed'));
stream.compose(new spec()).pipe(process.stdout);
stream.on('end', () => {
  process.on('exit', () => {
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
  });
  if (counts.failed > 0 || counts.passed + counts.skipped === 0) process.exitCode = 1;
});
