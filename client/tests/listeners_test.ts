// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fixture } from './fixture';

test('a click tells where and with which keys', () => {
  const page = new Fixture('<button>+</button>');
  page.frame((server) => server.listen(1, 'click'));
  page.fire(page.find('button'), 'click', {
    clientX: 12,
    clientY: -3,
    button: 0,
    shiftKey: true,
    altKey: true,
  });
  assert.deepEqual(page.events(), [
    { kind: 'event', seq: 1, ack: 1, id: 1, type: 'click', fields: { mouse: [12, -3, 0, 9] } },
  ]);
});

test('UNLISTEN ends it, LISTEN again replaces the options', () => {
  const page = new Fixture('<a href="#x">x</a>');
  page.frame((server) => server.listen(1, 'click'));
  page.frame((server) => server.listen(1, 'click', { preventDefault: true }));
  assert.equal(page.fire(page.find('a'), 'click').defaultPrevented, true);
  assert.equal(page.events().length, 1);
  page.frame((server) => server.unlisten(1, 'click'), 1);
  assert.equal(page.fire(page.find('a'), 'click').defaultPrevented, false);
  assert.equal(page.events().length, 1);
});

test('stop propagation keeps the event from the listener above', () => {
  const page = new Fixture('<div><button>x</button></div>');
  page.frame((server) => server.listen(1, 'click').listen(2, 'click', { stopPropagation: true }));
  page.fire(page.find('button'), 'click');
  assert.deepEqual(
    page.events().map(({ id }) => id),
    [2],
  );
});

test('a key filter lets other keys pass untouched', () => {
  const page = new Fixture('<input>');
  page.frame((server) => server.listen(1, 'keydown', { keys: ['Enter'], preventDefault: true }));
  const input = page.find<HTMLInputElement>('input');
  input.value = 'v';
  assert.equal(page.fire(input, 'keydown', { key: 'a' }).defaultPrevented, false);
  assert.equal(page.fire(input, 'keydown', { key: 'Enter', repeat: true }).defaultPrevented, true);
  assert.deepEqual(page.said(), [[1, 'keydown', { value: 'v', key: ['Enter', 16] }]]);
});

test('keys of an input method are not sent', () => {
  const page = new Fixture('<input>');
  page.frame((server) => server.listen(1, 'keydown'));
  page.fire(page.find('input'), 'keydown', { key: 'Enter', isComposing: true });
  assert.deepEqual(page.events(), []);
});

test('a debounced edit goes out once it is quiet, with the value of that moment', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const page = new Fixture('<input>');
  page.frame((server) => server.listen(1, 'input', { debounce: 200, twoWay: true }));
  page.type(page.find('input'), 'a');
  context.mock.timers.tick(150);
  page.type(page.find('input'), 'b');
  context.mock.timers.tick(199);
  assert.deepEqual(page.events(), []);
  context.mock.timers.tick(1);
  assert.deepEqual(page.said(), [[1, 'input', { value: 'ab', revision: 2 }]]);
});

test('a throttled event goes out at once, then once per interval, the last always', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const page = new Fixture('<div>x</div>');
  page.frame((server) => server.listen(1, 'mousemove', { throttle: 100 }));
  const move = (clientX: number): unknown => page.fire(page.find('div'), 'mousemove', { clientX });
  for (const x of [1, 2, 3]) move(x);
  context.mock.timers.tick(100);
  move(4);
  context.mock.timers.tick(50);
  move(5);
  context.mock.timers.tick(50);
  context.mock.timers.tick(1000);
  const xs = page.events().map(({ fields }) => (fields['mouse'] as number[])[0]);
  assert.deepEqual(xs, [1, 3, 5]);
});

test('with both, the throttle bounds how long the debounce may wait', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const page = new Fixture('<input>');
  page.frame((server) => server.listen(1, 'input', { debounce: 100, throttle: 250, twoWay: true }));
  for (let count = 0; count < 6; count += 1) {
    page.type(page.find('input'), 'x');
    context.mock.timers.tick(60);
  }
  assert.deepEqual(page.said(), [[1, 'input', { value: 'xxxxx', revision: 5 }]]);
});

test('a submit takes the waiting edit along, in order', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const page = new Fixture('<form><input name="q"></form>');
  page.frame((server) =>
    server
      .listen(1, 'submit', { preventDefault: true })
      .listen(2, 'input', { debounce: 500, twoWay: true }),
  );
  page.type(page.find('input'), 'milk');
  assert.equal(page.fire(page.find('form'), 'submit').defaultPrevented, true);
  assert.deepEqual(page.said(), [
    [2, 'input', { value: 'milk', revision: 1 }],
    [1, 'submit', { form: [['q', 'milk']] }],
  ]);
  context.mock.timers.tick(1000);
  assert.equal(page.events().length, 2);
});

test('an event that waits for a node that goes is not sent', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const page = new Fixture('<input>');
  page.frame((server) => server.listen(1, 'input', { debounce: 100 }));
  page.type(page.find('input'), 'a');
  page.frame((server) => server.remove(1));
  context.mock.timers.tick(500);
  assert.deepEqual(page.events(), []);
});

test('checkboxes, selects, details and scrolling tell what they hold', () => {
  const page = new Fixture(
    '<input type="checkbox" value="v"><select multiple><option>a</option><option selected>b</option></select><details></details><div></div>',
  );
  page.frame((server) =>
    server
      .listen(1, 'change')
      .listen(2, 'change')
      .listen(7, 'toggle', { twoWay: true })
      .listen(8, 'scroll'),
  );
  const checkbox = page.find<HTMLInputElement>('input');
  checkbox.checked = true;
  page.fire(checkbox, 'input');
  page.fire(checkbox, 'change');
  page.fire(page.find('select'), 'change');
  page.find<HTMLDetailsElement>('details').open = true;
  page.fire(page.find('details'), 'toggle');
  page.find('div').scrollTop = 30;
  page.fire(page.find('div'), 'scroll');
  const said = page
    .said()
    .filter(
      ([, , fields], index, all) => JSON.stringify(fields) !== JSON.stringify(all[index - 1]?.[2]),
    );
  assert.deepEqual(said, [
    [1, 'change', { checked: true, value: 'v', revision: 1 }],
    [2, 'change', { selected: ['b'], revision: 0 }],
    [7, 'toggle', { open: true, revision: 1 }],
    [8, 'scroll', { scroll: [0, 30] }],
  ]);
});

test('what was clicked or submitted before the first frame is made up for', () => {
  const page = new Fixture(
    '<form><input name="q"><button>Add</button></form><button type="button">+</button>',
  );
  page.find<HTMLInputElement>('input').value = 'milk';
  const submit = page.fire(page.find('form'), 'submit');
  page.fire(page.find('[type=button]'), 'click');
  assert.equal(submit.defaultPrevented, true, 'the page would be loaded anew');
  page.frame((server) =>
    server
      .listen(1, 'submit', { preventDefault: true })
      .listen(2, 'input', { twoWay: true })
      .listen(5, 'click'),
  );
  assert.deepEqual(
    page.said().map(([id, type]) => [id, type]),
    [
      [2, 'input'],
      [1, 'submit'],
      [5, 'click'],
    ],
  );
});
