// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { caretMap } from '../src/inputs';
import { Fixture, type EventFrame } from './fixture';
import type { Scalar } from './frame_writer';

function field(page: Fixture): HTMLInputElement {
  return page.find<HTMLInputElement>('input,textarea,select');
}

function twoWay(html = '<input>'): Fixture {
  const page = new Fixture(html);
  page.frame((server) => server.listen(1, 'input', { twoWay: true }));
  return page;
}

test('an answer to an older edit is dropped, one to the newest is applied', () => {
  const page = twoWay();
  page.type(field(page), 'a');
  page.type(field(page), 'b');
  page.frame((server) => server.inputValue(1, 1, 'A'));
  assert.equal(field(page).value, 'ab');
  page.frame((server) => server.inputValue(1, 2, 'AB'));
  assert.equal(field(page).value, 'AB');
});

test('edits that nobody hears of block no value', () => {
  const page = new Fixture('<input>');
  page.type(field(page), 'draft');
  page.frame((server) => server.inputValue(1, 0, ''));
  assert.equal(field(page).value, '');
});

test('a debounced edit that still waits protects its text', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const page = new Fixture('<input>');
  page.frame((server) => server.listen(1, 'input', { twoWay: true, debounce: 200 }));
  page.type(field(page), 'ab');
  page.frame((server) => server.inputValue(1, 0, ''));
  assert.equal(field(page).value, 'ab');
});

test('the caret stays in its place of the text when a value is applied', () => {
  const page = twoWay('<input value="one two">');
  const input = field(page);
  input.focus();
  input.setSelectionRange(3, 7);
  page.frame((server) => server.inputValue(1, 1, 'one and two'));
  assert.deepEqual([input.value, input.selectionStart, input.selectionEnd], ['one and two', 3, 11]);
  input.setSelectionRange(11, 11);
  page.frame((server) => server.inputValue(1, 1, 'two'));
  assert.equal(input.selectionStart, 3);
});

test('carets map by what is alike before and behind', () => {
  const map = (old: string, text: string, caret: number): number => caretMap(old, text)(caret);
  assert.equal(map('abc', 'abc', 2), 2);
  assert.equal(map('abc', 'ABC', 3), 3);
  assert.equal(map('1234', '1,234', 4), 5);
  assert.equal(map('12', '', 2), 0);
  assert.equal(map('', 'x', 0), 0);
  assert.equal(map('aXb', 'ab', 2), 1);
});

test('while an input method composes, values and edits wait', () => {
  const page = twoWay();
  const input = field(page);
  page.fire(input, 'compositionstart');
  page.type(input, 'n');
  page.type(input, 'i');
  page.frame((server) => server.inputValue(1, 2, 'X'));
  assert.equal(input.value, 'ni');
  assert.deepEqual(page.events(), []);
  input.value = '\u4f60';
  page.fire(input, 'input');
  page.fire(input, 'compositionend');
  assert.deepEqual(page.said(), [[1, 'input', { value: '\u4f60', revision: 3 }]]);
  assert.equal(input.value, '\u4f60', 'the held value answered an older edit');
});

test('a value held through a composition that edits nothing is applied at its end', () => {
  const page = twoWay();
  page.fire(field(page), 'compositionstart');
  page.frame((server) => server.inputValue(1, 0, 'X'));
  page.fire(field(page), 'compositionend');
  assert.equal(field(page).value, 'X');
});

test('what was typed before the first frame is sent with it, once', () => {
  const page = new Fixture(
    '<input value="old"><textarea>same</textarea><select><option>a</option><option>b</option></select>',
  );
  field(page).value = 'typed';
  page.find<HTMLSelectElement>('select').selectedIndex = 1;
  page.frame((server) =>
    server
      .inputValue(1, 0, 'server')
      .listen(1, 'input', { twoWay: true, debounce: 500 })
      .listen(1, 'change')
      .listen(2, 'input', { twoWay: true })
      .listen(3, 'change', { twoWay: true }),
  );
  assert.equal(field(page).value, 'typed');
  assert.deepEqual(page.said(), [
    [1, 'input', { value: 'typed', revision: 1 }],
    [3, 'change', { value: 'b', revision: 1 }],
  ]);
});

test('a slider that corrects its own default counts as untouched', () => {
  const page = new Fixture('<input type="checkbox" checked><select><option>a</option></select>');
  page.frame((server) =>
    server.listen(1, 'change', { twoWay: true }).listen(2, 'change', { twoWay: true }),
  );
  assert.deepEqual(page.events(), []);
});

test('after a reload, what the browser put into a nameless field is taken back', () => {
  const restored = (root: HTMLElement): void => {
    for (const input of root.querySelectorAll('input')) input.checked = true;
  };
  const html = '<input type="checkbox"><input type="checkbox" name="n">';
  const page = new Fixture(html, { isRestored: true, beforeBoot: restored });
  page.frame((server) =>
    server.listen(1, 'change', { twoWay: true }).listen(2, 'change', { twoWay: true }),
  );
  assert.equal(field(page).checked, false);
  assert.deepEqual(page.said(), [[2, 'change', { checked: true, revision: 1 }]]);
});

test('text typed and taken back is told when the field is left', () => {
  const page = new Fixture('<input value="a">');
  page.frame((server) => server.listen(1, 'change', { twoWay: true }));
  page.type(field(page), 'b');
  field(page).value = 'a';
  page.fire(field(page), 'input');
  page.fire(field(page), 'blur');
  assert.deepEqual(page.said(), [[1, 'change', { value: 'a', revision: 2 }]]);
});

test('a checkbox counts one edit for its input and change events', () => {
  const page = new Fixture('<input type="checkbox">');
  page.frame((server) => server.listen(1, 'change', { twoWay: true }));
  field(page).click();
  assert.deepEqual(page.said(), [[1, 'change', { checked: true, revision: 1 }]]);
  page.frame((server) => server.inputValue(1, 1, false));
  assert.equal(field(page).checked, false);
});

test('a radio button that another one switches off is told too', () => {
  const page = new Fixture('');
  const radio = {
    tag: 'input',
    attrs: { type: 'radio', name: 'n' },
    listen: { change: { twoWay: true } },
  };
  page.frame((server) =>
    server.insert(0, 0, 1, { ...radio, props: { checked: true } }).insert(0, 0, 2, radio),
  );
  page.find('input + input').click();
  assert.deepEqual(page.said(), [
    [1, 'change', { checked: false, revision: 1 }],
    [2, 'change', { checked: true, revision: 1 }],
  ]);
});

test('a details that the server opens is not told back', () => {
  const page = new Fixture('<details></details>');
  // Browsers fire the toggle later, in a task of its own; happy-dom would at once.
  Object.defineProperty(page.find('details'), 'open', { value: false, writable: true });
  page.frame((server) => server.listen(1, 'toggle', { twoWay: true }));
  page.frame((server) => server.inputValue(1, 0, true));
  page.fire(page.find('details'), 'toggle');
  assert.deepEqual(page.events(), []);
  assert.equal(page.find<HTMLDetailsElement>('details').open, true);
});

// A server that answers late, in bursts, and rewrites what it is told.
class SlowServer {
  value = '';
  private revision = 0;
  private seen = 0;
  private readonly answers: [number, string][] = [];
  private readonly page: Fixture;
  private readonly rewrite: (text: string) => string;

  constructor(page: Fixture, rewrite: (text: string) => string) {
    this.page = page;
    this.rewrite = rewrite;
  }

  // Handles one more event, if one has arrived.
  handle(): boolean {
    const event: EventFrame | undefined = this.page.events()[this.seen];
    if (event === undefined) return false;
    this.seen += 1;
    const text = event.fields['value'] as string;
    this.revision = event.fields['revision'] as number;
    this.value = this.rewrite(text);
    if (this.value !== text) this.answers.push([this.revision, this.value]);
    return true;
  }

  // Writes the field for reasons of its own.
  set(value: string): void {
    this.value = value;
    this.answers.push([this.revision, value]);
  }

  // Lets one more answer arrive.
  answer(): boolean {
    const next = this.answers.shift();
    if (next === undefined) return false;
    this.page.frame((server) => server.inputValue(1, next[0], next[1] satisfies Scalar), this.seen);
    return true;
  }
}

test('no interleaving of typing and answers loses a keystroke', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const seed = Number(process.env['LATTICE_SEED'] ?? 20_261_124);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const rewrites = [
    (text: string) => text,
    (text: string) => text.toUpperCase(),
    (text: string) => text.replaceAll('-', ''),
  ];
  for (let round = 0; round < 150; round += 1) {
    const page = new Fixture('<input>');
    const rewrite = rewrites[round % rewrites.length] ?? ((text: string) => text);
    const debounce = random(2) === 0 ? {} : { debounce: 30 };
    page.frame((server) => server.listen(1, 'input', { twoWay: true, ...debounce }));
    const server = new SlowServer(page, rewrite);
    const input = field(page);
    input.focus();
    let typed = '';
    for (let step = 0; step < 60; step += 1) {
      const action = random(5);
      if (action <= 1) {
        const letter = 'abc-xyz'[random(7)] ?? 'a';
        typed += letter;
        page.type(input, letter);
      } else if (action === 2) server.handle();
      else if (action === 3) server.answer();
      else context.mock.timers.tick(random(40));
      const where = `seed ${seed}, round ${round}, step ${step}: '${typed}' shows '${input.value}'`;
      assert.equal(rewrite(input.value), rewrite(typed), where);
      assert.equal(input.selectionStart, input.value.length, `${where}: the caret left the end`);
    }
    context.mock.timers.tick(100);
    while (server.handle()) continue;
    while (server.answer()) continue;
    assert.equal(server.value, rewrite(typed), `seed ${seed}, round ${round}`);
    assert.equal(input.value, server.value, `seed ${seed}, round ${round}`);
  }
});

test('after any interleaving with values that the server sets, both sides show the same', () => {
  for (let seed = 1; seed <= 150; seed += 1) {
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const page = twoWay();
    const server = new SlowServer(page, (text) => text);
    for (let step = 0; step < 40; step += 1) {
      const action = random(5);
      if (action <= 1) page.type(field(page), 'abcdef'[random(6)] ?? 'a');
      else if (action === 2) server.handle();
      else if (action === 3) server.answer();
      else if (random(3) === 0) server.set(`s${step}`);
    }
    while (server.handle() || server.answer()) continue;
    assert.equal(field(page).value, server.value, `seed ${seed}`);
  }
});
