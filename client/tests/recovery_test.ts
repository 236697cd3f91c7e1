// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Window } from 'happy-dom';
import { Banner } from '../src/banner';
import { Recovery } from '../src/recovery';

class Surroundings {
  readonly window = new Window();
  readonly banner: Banner;
  readonly probes: number[] = [];
  readonly stored = new Map<string, string>();
  readonly random = (): number => this.randomness;
  randomness = 1;
  healthy = false;
  reloads = 0;
  hasStorage = true;

  constructor() {
    Object.assign(globalThis, { document: this.window.document });
    this.banner = new Banner();
  }

  readonly storage = (): Pick<Storage, 'getItem' | 'setItem'> => {
    if (!this.hasStorage) throw new Error('denied');
    return {
      getItem: (key) => this.stored.get(key) ?? null,
      setItem: (key, value) => void this.stored.set(key, value),
    };
  };

  readonly isHealthy = (): Promise<boolean> => {
    this.probes.push(Date.now());
    return this.healthy ? Promise.resolve(true) : Promise.reject(new Error('refused'));
  };

  readonly reload = (): void => void (this.reloads += 1);

  get status(): string {
    return this.window.document.querySelector('[role=status]')?.textContent ?? '';
  }
}

async function pass(context: TestContext, ms: number): Promise<void> {
  for (let step = 0; step < ms; step += 25) {
    context.mock.timers.tick(25);
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  }
}

function begin(context: TestContext): Surroundings {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  return new Surroundings();
}

test('a lost server is asked after 0.25 s, then in doubled pauses of at most 5 s', async (context) => {
  const around = begin(context);
  new Recovery(around).ended('lost', true);
  assert.equal(around.status, 'Reconnecting...');
  await pass(context, 20_000);
  assert.deepEqual(around.probes, [250, 750, 1_750, 3_750, 7_750, 12_750, 17_750]);
  assert.equal(around.reloads, 0);
  around.healthy = true;
  await pass(context, 5_000);
  assert.equal(around.reloads, 1);
  await pass(context, 20_000);
  assert.equal(around.reloads, 1);
});

test('jitter halves the pauses at most', async (context) => {
  const around = begin(context);
  around.randomness = 0;
  new Recovery(around).ended('lost', true);
  await pass(context, 2_000);
  assert.deepEqual(around.probes, [125, 375, 875, 1_875]);
});

test('an expired token reloads at once, three times in 30 s, then asks the user', async (context) => {
  const around = begin(context);
  for (let count = 0; count < 5; count += 1) new Recovery(around).ended('expired', false);
  assert.equal(around.reloads, 3);
  const button = around.window.document.querySelector('[role=status] button');
  assert.equal(button?.textContent, 'Reload');
  button?.dispatchEvent(new around.window.Event('click'));
  assert.equal(around.reloads, 4);
  await pass(context, 30_000);
  new Recovery(around).ended('broken', true);
  assert.equal(around.reloads, 5);
});

test('a healthy server whose socket never works is no endless loop', async (context) => {
  const around = begin(context);
  around.healthy = true;
  for (let count = 0; count < 6; count += 1) {
    new Recovery(around).ended('lost', false);
    await pass(context, 5_000);
  }
  assert.equal(around.reloads, 3);
  assert.match(around.status, /lost its connection/);
});

test('a server that dies of every visit is asked slowly, but for ever', async (context) => {
  const around = begin(context);
  around.healthy = true;
  for (let count = 0; count < 3; count += 1) {
    new Recovery(around).ended('lost', true);
    await pass(context, 300);
  }
  assert.equal(around.reloads, 3);
  new Recovery(around).ended('lost', true);
  await pass(context, 4_900);
  assert.equal(around.reloads, 3);
  await pass(context, 200);
  assert.equal(around.reloads, 4);
});

test('without storage nothing reloads by itself', (context) => {
  const around = begin(context);
  around.hasStorage = false;
  new Recovery(around).ended('broken', true);
  assert.equal(around.reloads, 0);
  assert.match(around.status, /lost its connection/);
});

test('storage that holds nonsense counts as empty, never as an error', (context) => {
  const around = begin(context);
  for (const nonsense of ['{"a":1}', '[null,"x"]', '{']) {
    around.stored.set('lattice-reloads', nonsense);
    new Recovery(around).ended('broken', true);
  }
  assert.equal(around.reloads, 3);
});

test('leaving the page is no loss', async (context) => {
  const around = begin(context);
  const recovery = new Recovery(around);
  recovery.isLeaving = true;
  recovery.ended('lost', true);
  await pass(context, 1_000);
  assert.equal(around.status, '');
  assert.deepEqual(around.probes, []);
});
