// SPDX-License-Identifier: MIT
// The built bundle in a real browser, against a server that the tests play.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { chromium, type Browser, type Page } from 'playwright-core';
import { MockServer, type Visit } from './mock_server';

const CHROMIUM = process.env['LATTICE_CHROMIUM'] ?? '/usr/bin/chromium';
const skip = existsSync(CHROMIUM) ? false : `no Chromium at ${CHROMIUM}`;
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const server = new MockServer();
let browser: Browser;
let page: Page;
let complaints: string[] = [];

async function eventually(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 250; tries += 1) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`not within 5 s: ${what}`);
}

async function visit(paint: string, first: (visit: Visit) => void): Promise<void> {
  server.script = { paint, onFrame: (visit, frame) => frame.kind === 'hello' && first(visit) };
  const known = server.visits.length;
  await page.goto(server.url);
  await eventually('a hello', () => server.visits.length > known && server.visit.frames.length > 0);
}

const frames = (): Promise<number> => page.evaluate(() => window.lattice?.stats.frames ?? 0);

describe('the runtime in Chromium', { skip }, () => {
  before(async () => {
    await server.start();
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
  });
  after(async () => {
    await browser.close();
    await server.stop();
  });
  beforeEach(async () => {
    await page?.context().close();
    page = await (await browser.newContext()).newPage();
    complaints = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
  });

  test('a click is answered by a patch, and the counters are exact', async () => {
    await visit('<h1>0</h1><button>+1</button>', (visit) =>
      visit.send((writer) => writer.listen(3, 'click')),
    );
    let count = 0;
    server.script = {
      ...server.script,
      onFrame: (visit, frame) => {
        if (frame.kind === 'event') visit.send((writer) => writer.text(2, String((count += 1))));
      },
    };
    await eventually('alive', async () => (await frames()) === 1);
    for (let clicks = 0; clicks < 3; clicks += 1) await page.click('button');
    await page.waitForSelector('h1:text("3")');
    const stats = await page.evaluate(() => window.lattice?.stats);
    assert.equal(stats?.bytes, server.visit.bytesSent);
    assert.deepEqual(
      [stats?.frames, stats?.lastBytes, stats?.eventsSent, stats?.eventsAcked],
      [4, 7, 3, 3],
    );
    assert.equal(await page.evaluate(() => window.lattice?.nodeCount()), 4);
    assert.deepEqual(complaints, []);
  });

  test('a slow server that rewrites every edit loses no keystroke', async () => {
    await visit('<input aria-label="name">', (visit) =>
      visit.send((writer) => writer.listen(1, 'input', { twoWay: true })),
    );
    server.script = {
      ...server.script,
      onFrame: (visit, frame) => {
        if (frame.kind !== 'event') return;
        const { value, revision } = frame.fields as { value: string; revision: number };
        setTimeout(
          () => visit.send((writer) => writer.inputValue(1, revision, value.toUpperCase())),
          60,
        );
      },
    };
    const text = 'the quick brown fox';
    await page.locator('input').pressSequentially(text, { delay: 15 });
    await eventually(
      'the last answer',
      async () => (await page.inputValue('input')) === text.toUpperCase(),
    );
    await page.keyboard.press('Home');
    await page.locator('input').pressSequentially('oh ', { delay: 15 });
    await eventually(
      'the last answer',
      async () => (await page.inputValue('input')) === `oh ${text}`.toUpperCase(),
    );
    const caret = await page
      .locator('input')
      .evaluate((input: HTMLInputElement) => input.selectionStart);
    assert.equal(caret, 3);
  });

  test('an input method composes undisturbed', async () => {
    await visit('<input>', (visit) =>
      visit.send((writer) => writer.listen(1, 'input', { twoWay: true }).listen(1, 'keydown')),
    );
    await eventually('alive', async () => (await frames()) === 1);
    await page.focus('input');
    const devtools = await page.context().newCDPSession(page);
    const compose = (text: string): Promise<unknown> =>
      devtools.send('Input.imeSetComposition', {
        text,
        selectionStart: text.length,
        selectionEnd: text.length,
      });
    await compose('n');
    await compose('ni');
    server.visit.send((writer) => writer.inputValue(1, 0, 'disturb'));
    await eventually('the second frame', async () => (await frames()) === 2);
    assert.equal(await page.inputValue('input'), 'ni');
    assert.equal(server.visit.events.length, 0);
    await devtools.send('Input.insertText', { text: '\u4f60' });
    await eventually('the edit', () => server.visit.events.length > 0);
    assert.equal(server.visit.events.at(-1)?.fields['value'], '\u4f60');
    assert.equal(await page.inputValue('input'), '\u4f60');
  });

  test('what is typed before the first frame arrives with it', async () => {
    let release = (): void => undefined;
    await visit('<input value="a"><button>x</button>', (visit) => {
      release = () =>
        visit.send((writer) =>
          writer.inputValue(1, 0, 'server').listen(1, 'input', { twoWay: true }).listen(2, 'click'),
        );
    });
    await page.focus('input');
    await page.keyboard.press('End');
    await page.keyboard.type('bc');
    await page.click('button');
    release();
    await eventually('both events', () => server.visit.events.length === 2);
    assert.deepEqual(
      server.visit.events.map(({ type }) => type),
      ['input', 'click'],
    );
    assert.deepEqual(server.visit.events[0]?.fields, { value: 'abc', revision: 2 });
    assert.equal(await page.inputValue('input'), 'abc');
  });

  for (const way of ['moveBefore', 'insertBefore'] as const) {
    test(`a reorder by ${way} keeps identity, focus, caret and scroll`, async () => {
      if (way === 'insertBefore') {
        await page.addInitScript(
          () => void Reflect.deleteProperty(Element.prototype, 'moveBefore'),
        );
      }
      const rows = ['a', 'b', 'c'].map(
        (name) =>
          `<li><input value="row ${name}"><textarea rows="1">1\n2\n3\n4\n5\n6</textarea></li>`,
      );
      await visit(`<ul>${rows.join('')}</ul>`, (visit) =>
        visit.send((writer) => writer.listen(3, 'focus').listen(3, 'blur')),
      );
      await eventually('alive', async () => (await frames()) === 1);
      await page.evaluate(() => {
        const input = document.querySelector('input');
        input?.setSelectionRange(2, 5);
        input?.focus();
        Reflect.set(window, 'kept', input);
        document.querySelector('textarea')?.scrollTo(0, 30);
      });
      await eventually('the focus event', () => server.visit.events.length === 1);
      const scrolled = await page.evaluate(() => document.querySelector('textarea')?.scrollTop);
      assert((scrolled ?? 0) > 0);
      server.visit.send((writer) => writer.move(2, 1, 0));
      await eventually('the move', async () => (await frames()) === 2);
      const found = await page.evaluate(() => {
        const input = document.querySelectorAll('input')[2];
        return [
          input?.value,
          input === Reflect.get(window, 'kept'),
          input === document.activeElement,
          input?.selectionStart,
          input?.selectionEnd,
          document.querySelectorAll('textarea')[2]?.scrollTop,
        ];
      });
      assert.deepEqual(found, ['row a', true, true, 2, 5, scrolled]);
      assert.equal(server.visit.events.length, 1, 'focus that only travels is no event');
    });
  }

  test('a restarted server gets a fresh page after a banner', async () => {
    await visit('<p>old</p>', (visit) => visit.send((writer) => writer.text(2, 'live')));
    await page.waitForSelector('p:text("live")');
    await server.stop();
    await page.waitForSelector('[role=status]:text("Reconnecting...")');
    await screenshot('banner');
    server.script = { paint: '<p>new</p>', onFrame: () => undefined };
    await server.start();
    await page.waitForSelector('p:text("new")');
    assert.equal(await page.textContent('[role=status]'), '');
  });

  test('bad frames reload the page three times, then the user decides', async () => {
    const known = server.visits.length;
    await visit('<p>x</p>', (visit) => visit.send((writer) => writer.text(2, 'y').raw(0x20)));
    await page.waitForSelector('[role=status] button:text("Reload")');
    assert.equal(server.visits.length - known, 4);
    assert.equal(await page.textContent('p'), 'x');
    server.script = {
      paint: '<p>x</p>',
      onFrame: (visit) => visit.send((writer) => writer.text(2, 'z')),
    };
    await page.click('[role=status] button');
    await page.waitForSelector('p:text("z")');
  });

  test('error boxes read well and go away by keyboard', async () => {
    await visit('<h2>Orders</h2><table><tbody><tr><td>1</td></tr></tbody></table>', (visit) =>
      visit.send((writer) =>
        writer
          .error(
            5,
            'ZeroDivisionError in total()',
            '  File "app.py", line 12, in total\n    return amount / 0',
          )
          .error(1, 'Something went wrong', ''),
      ),
    );
    await page.waitForSelector('table + [role=alert]');
    await screenshot('errors');
    await page.focus('table + [role=alert] button');
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('[role=alert]').count(), 1);
    assert.deepEqual(complaints, []);
  });

  test('styles, raw HTML and inserted trees pass a strict content policy', async () => {
    await visit('<p>x</p>', (visit) =>
      visit.send((writer) =>
        writer
          .attr(1, 'style', 'color: rgb(1, 2, 3)')
          .style(1, '--gap', 4)
          .insert(0, 0, 3, { html: '<b>raw</b>' })
          .insert(0, 0, 4, { tag: 'svg', children: [{ tag: 'circle', attrs: { r: 4 } }] }),
      ),
    );
    await page.waitForSelector('lattice-html b');
    const color = await page.evaluate(
      () => getComputedStyle(document.querySelector('p') ?? document.body).color,
    );
    assert.equal(color, 'rgb(1, 2, 3)');
    assert.equal(
      await page.evaluate(() => document.querySelector('circle') instanceof SVGCircleElement),
      true,
    );
    assert.deepEqual(complaints, []);
  });

  test('a page of 10,000 nodes is adopted, and one text costs one small frame', async () => {
    const rows = Array.from({ length: 5_000 }, (_, index) => `<i>${index}</i>`).join('');
    let bytes = 0;
    await visit(rows, (visit) => (bytes = visit.send((writer) => writer.text(9_998, 'patched'))));
    await page.waitForSelector('i:text("patched")');
    assert.deepEqual(server.visit.frames[0], { kind: 'hello', token: 't', nodeCount: 10_000 });
    assert(bytes <= 16);
    assert.equal(await page.evaluate(() => window.lattice?.stats.lastBytes), bytes);
  });
});

// Kept for people to look at, in both colour schemes.
async function screenshot(name: string): Promise<void> {
  mkdirSync('dist-tests/screenshots', { recursive: true });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `dist-tests/screenshots/${name}_${colorScheme}.png` });
  }
}
