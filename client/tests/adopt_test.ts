// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fixture } from './fixture';

test('adoption numbers elements and texts in document order', () => {
  const page = new Fixture('<h1>Hi</h1><p>a<!---->b<b>c</b></p>');
  assert.deepEqual(page.socket.sent, [{ kind: 'hello', token: 'token', nodeCount: 7 }]);
  page.frame((server) => server.text(5, 'B').text(7, 'C').text(2, 'Ho'));
  assert.equal(page.root.innerHTML, '<h1>Ho</h1><p>aB<b>C</b></p>');
});

test('the comment <!--e--> becomes an empty text node with a number', () => {
  const page = new Fixture('<p><!--e--></p><p><!--e--><!---->x</p>');
  assert.equal(page.page.tree.nodeCount, 5);
  page.frame((server) => server.text(2, 'one').text(4, 'two'));
  assert.equal(page.root.textContent, 'onetwox');
});

test('other comments and the inside of raw HTML have no numbers', () => {
  const page = new Fixture('<!-- note --><lattice-html><b>x</b>y</lattice-html><p>z</p>');
  assert.equal(page.page.tree.nodeCount, 3);
  page.frame((server) => server.text(3, 'Z'));
  assert.equal(page.find('p').textContent, 'Z');
});

test('RESET and an INSERT replace a page that could not be adopted', (context) => {
  context.mock.method(console, 'error', () => undefined);
  const page = new Fixture('<p>old</p>');
  page.frame((server) => server.reset().insert(0, 0, 10, { tag: 'p', children: ['new'] }));
  assert.equal(page.root.innerHTML, '<p>new</p>');
  assert.equal(page.page.tree.nodeCount, 2);
  page.frame((server) => server.text(1, 'gone'));
  assert.deepEqual(page.endings, [['broken', true]]);
});
