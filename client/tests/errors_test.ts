// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fixture } from './fixture';

test('an error box stands behind its node and shifts no id', () => {
  const page = new Fixture('<p>a</p><p>b</p>');
  page.frame((server) => server.error(1, 'ValueError', 'line 3'));
  const box = page.find('.lattice-error');
  assert.equal(box.previousElementSibling, page.find('p'));
  assert.equal(box.getAttribute('role'), 'alert');
  assert.match(box.textContent ?? '', /ValueError.*line 3/);
  page.frame((server) => server.text(4, 'B').insert(0, 3, 5, 'x').insert(0, 0, 6, 'y'));
  assert.equal(page.root.textContent?.replace(box.textContent ?? '', '|'), 'a|xBy');
  page.frame((server) => server.clearError(1));
  assert.equal(page.root.textContent, 'axBy');
});

test('no box inside tables, lists, selects or drawings', () => {
  const page = new Fixture(
    '<div><table><tbody><tr><td>x</td></tr></tbody></table><select><option>o</option></select><ul><li>i</li></ul></div>',
  );
  const after = (id: number): string => {
    page.frame((server) => server.error(id, 'E', ''));
    const before = page.find('.lattice-error').previousElementSibling?.localName ?? '';
    page.frame((server) => server.clearError(id));
    return before;
  };
  assert.deepEqual([4, 5, 7, 8, 10].map(after), ['table', 'table', 'select', 'select', 'ul']);
  page.frame((server) => server.error(6, 'E', ''));
  assert.equal(page.find('.lattice-error').parentElement?.localName, 'td');
});

test('a box at the root stands behind it, RESET takes it away', () => {
  const page = new Fixture('<p>a</p>');
  page.frame((server) => server.error(0, 'E', ''));
  assert.equal(page.root.nextElementSibling?.className, 'lattice-error');
  page.frame((server) => server.reset());
  assert.equal(page.root.nextElementSibling, null);
});

test('a box follows its node and goes with it; two at one place stay put', () => {
  const page = new Fixture('<p>a</p><p>b</p>');
  page.frame((server) => server.error(1, 'one', ''));
  page.frame((server) => server.move(1, 0, 0));
  assert.equal(page.root.lastElementChild?.className, 'lattice-error');
  page.frame((server) => server.error(2, 'two', ''));
  const order = (): string =>
    [...page.root.querySelectorAll('strong')].map((title) => title.textContent).join();
  const first = order();
  page.frame((server) => server.title('t'));
  assert.equal(order(), first);
  page.frame((server) => server.remove(1));
  assert.equal(page.root.innerHTML, '<p>b</p>');
});

test("a box is dismissed by its button, and its click is nobody else's", () => {
  const page = new Fixture('<div><p>a</p></div>');
  page.frame((server) => server.listen(1, 'click').error(2, 'E', ''));
  const button = page.find('.lattice-error button');
  assert.equal(button.getAttribute('aria-label'), 'Dismiss this error');
  page.fire(button, 'click');
  assert.equal(page.root.querySelector('.lattice-error'), null);
  assert.deepEqual(page.events(), []);
});
