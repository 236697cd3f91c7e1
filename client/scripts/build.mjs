// SPDX-License-Identifier: MIT
// Bundles the runtime into dist/ and reports its size; fails past the budget.

import { build } from 'esbuild';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const GZIP_BYTES_MAX = 8 * 1024;

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

// The wire's numbers as enums, since esbuild puts those in place of their names.
const inlineOpcodes = {
  name: 'inline-opcodes',
  setup(bundler) {
    bundler.onLoad({ filter: /opcodes\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const tables = source.replace(
        /export const (\w+) = \{([^[\]}]*)\} as const;/g,
        (_, name, body) => `export enum ${name} {${body.replaceAll(':', ' =')}}`,
      );
      return { contents: tables, loader: 'ts' };
    });
  },
};

// Long names of our own that no browser object has: shortened in the bundle.
const OWN_PROPERTIES = [
  'appliedSeq',
  'clearAll',
  'countEarlyEdits',
  'debounceMs',
  'endComposition',
  'ended',
  'field',
  'firstId',
  'hears',
  'held',
  'idOf',
  'isHealthy',
  'isLeaving',
  'isMoving',
  'isRestored',
  'isUnsent',
  'known',
  'listen',
  'noteWrite',
  'onEnd',
  'onFrame',
  'onReload',
  'openSocket',
  'queue',
  'raw',
  'reloadBounded',
  'replayEarly',
  'resume',
  'revision',
  'sendEarlyEdits',
  'sendEdit',
  'sendEvent',
  'sent',
  'setText',
  'settle',
  'sink',
  'svarint',
  'throttleMs',
  'twoWay',
  'u8',
  'unlisten',
  'varint',
  'waiting',
  'wasSent',
  'wasAlive',
];
const options = { bundle: true, minify: true, legalComments: 'none', logLevel: 'warning' };
await build({
  ...options,
  entryPoints: ['src/main.ts'],
  outfile: 'dist/client.js',
  format: 'esm',
  target: 'es2022',
  plugins: [inlineOpcodes],
  mangleProps: new RegExp(`^(${OWN_PROPERTIES.join('|')})$`),
});
await build({ ...options, entryPoints: ['src/client.css'], outfile: 'dist/client.css' });

for (const name of ['client.js', 'client.css']) {
  const bytes = await readFile(`dist/${name}`);
  const gzipBytes = gzipSync(bytes, { level: 9 }).length;
  console.log(`size: ${name} ${bytes.length} bytes minified, ${gzipBytes} gzipped`);
  if (name === 'client.js' && gzipBytes > GZIP_BYTES_MAX) {
    console.error(`client.js is larger than its budget of ${GZIP_BYTES_MAX} bytes gzipped`);
    process.exitCode = 1;
  }
}
