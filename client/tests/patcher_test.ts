// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fixture } from './fixture';
import type { FrameWriter } from './frame_writer';

test('attributes: true is empty, false and null remove, numbers as the server writes them', () => {
  const page = new Fixture('<p hidden class="a">x</p>');
  page.frame((server) =>
    server
      .attr(1, 'hidden', false)
      .attr(1, 'class', null)
      .attr(1, 'inert', true)
      .attr(1, 'data-x', 1.5)
      .attr(1, 'tabindex', -1),
  );
  assert.equal(page.root.innerHTML, '<p inert="" data-x="1.5" tabindex="-1">x</p>');
});

test('one style, one class, one property', () => {
  const page = new Fixture('<input type="checkbox" class="a b" style="color: red">');
  const input = page.find<HTMLInputElement>('input');
  page.frame((server) =>
    server
      .style(1, 'color', null)
      .style(1, '--gap', 4)
      .style(1, 'margin-top', '2px !important')
      .cssClass(1, 'a', false)
      .cssClass(1, 'c', true)
      .prop(1, 'checked', true),
  );
  assert.equal(input.style.getPropertyValue('color'), '');
  assert.equal(input.style.getPropertyValue('--gap'), '4');
  assert.equal(input.style.getPropertyPriority('margin-top'), 'important');
  assert.equal(input.className, 'b c');
  assert.equal(input.checked, true);
});

test('a property that is null falls back to none', () => {
  const page = new Fixture(
    '<input type="checkbox" checked><button value="b"></button><li value="3"></li>',
  );
  page.frame((server) =>
    server.prop(1, 'checked', null).prop(2, 'value', null).prop(3, 'value', null),
  );
  assert.equal(page.find<HTMLInputElement>('input').checked, false);
  assert.equal(page.find<HTMLButtonElement>('button').value, '');
  assert.equal(page.find('li').hasAttribute('value'), false);
});

test('an inserted tree is numbered in pre-order and stands before its reference', () => {
  const page = new Fixture('<ul><li>z</li></ul>');
  page.frame((server) =>
    server.insert(1, 2, 10, { tag: 'li', children: [{ tag: 'b', children: ['x'] }, 'y', ''] }),
  );
  page.frame((server) => server.text(12, 'X').text(13, 'Y').text(14, '!'));
  assert.equal(page.root.innerHTML, '<ul><li><b>X</b>Y!</li><li>z</li></ul>');
});

test('svg and math give their namespace to what is below, foreignObject gives it back', () => {
  const page = new Fixture('<div></div>');
  page.frame((server) => {
    const inner = { tag: 'foreignObject', children: [{ tag: 'p' }] };
    server.insert(1, 0, 2, {
      tag: 'svg',
      attrs: { viewBox: '0 0 1 1' },
      children: [{ tag: 'g', children: [inner] }],
    });
    server.insert(3, 0, 10, { tag: 'circle' });
    server.insert(4, 0, 11, { tag: 'div' });
    server.insert(1, 0, 12, { tag: 'math', children: [{ tag: 'mi' }] });
  });
  const names = [2, 3, 4, 5, 10, 11, 13].map((id) =>
    page.page.tree.element(id).namespaceURI?.split('/').at(-1),
  );
  assert.deepEqual(names, ['svg', 'svg', 'svg', 'xhtml', 'svg', 'xhtml', 'MathML']);
});

test('a removal frees the ids of the whole subtree, and only those', (context) => {
  context.mock.method(console, 'error', () => undefined);
  const page = new Fixture('<div><p>a</p><p>b</p></div><i>c</i>');
  page.frame((server) => server.remove(1).text(7, 'C'));
  assert.equal(page.root.innerHTML, '<i>C</i>');
  assert.equal(page.page.tree.nodeCount, 2);
  page.frame((server) => server.text(3, 'late'));
  assert.deepEqual(page.endings, [['broken', true]]);
});

test('a move keeps the node, its focus, its caret and its scroll', () => {
  const page = new Fixture('<ul><li><input value="hello"></li><li>b</li><li>c</li></ul>');
  const input = page.find<HTMLInputElement>('input');
  const item = page.find('li');
  input.focus();
  input.setSelectionRange(2, 4);
  item.scrollTop = 7;
  page.frame((server) => server.listen(3, 'blur').listen(3, 'focus'));
  page.frame((server) => server.move(2, 1, 0));
  assert.equal(page.root.textContent, 'bc');
  assert.equal(page.root.querySelectorAll('li')[2], item);
  assert.equal(page.root.ownerDocument.activeElement, input);
  assert.deepEqual([input.selectionStart, input.selectionEnd, item.scrollTop], [2, 4, 7]);
  assert.deepEqual(page.events(), [], 'focus that only travels is no event');
});

test('a select inserted with its value shows it', () => {
  const page = new Fixture('');
  const options = ['a', 'b'].map((value) => ({
    tag: 'option',
    attrs: { value },
    children: [value],
  }));
  page.frame((server) =>
    server.insert(0, 0, 1, { tag: 'select', props: { value: 'b' }, children: options }),
  );
  assert.equal(page.find<HTMLSelectElement>('select').value, 'b');
});

test('raw HTML is one node, the title is set, a reload is asked for', () => {
  const page = new Fixture('<p></p>');
  page.frame((server) =>
    server.insert(1, 0, 2, { html: '<b>x</b>' }).title('T').reload('code changed'),
  );
  assert.equal(page.find('lattice-html').innerHTML, '<b>x</b>');
  assert.equal(page.page.tree.nodeCount, 2);
  assert.equal(page.root.ownerDocument.title, 'T');
  assert.equal(page.reloads, 1);
});

const refused: [string, (server: FrameWriter) => unknown][] = [
  ['an unknown id', (server) => server.text(99, 'x')],
  ['a text op on an element', (server) => server.text(1, 'x')],
  ['an attribute on a text', (server) => server.attr(2, 'title', 'x')],
  ['an id that is taken', (server) => server.insert(1, 0, 2, 'x')],
  ['removing the root', (server) => server.remove(0)],
  ['a move into itself', (server) => server.move(1, 1, 0)],
  ['a reference that is no child', (server) => server.insert(0, 2, 9, 'x')],
  ['an inline handler', (server) => server.attr(1, 'onclick', 'alert(1)')],
  ['innerHTML as a property', (server) => server.prop(1, 'innerHTML', '<b>')],
  ['a property that is a function', (server) => server.prop(1, 'remove', 1)],
  ['an unknown op', (server) => server.raw(0x20)],
];
for (const [what, write] of refused) {
  test(`${what} ends the connection with the protocol error`, (context) => {
    context.mock.method(console, 'error', () => undefined);
    const page = new Fixture('<p>a</p>');
    page.frame(write);
    assert.equal(page.socket.closedWith, 4002);
    assert.deepEqual(page.endings, [['broken', false]]);
  });
}

test('a frame that does not decode changes nothing at all', (context) => {
  context.mock.method(console, 'error', () => undefined);
  const page = new Fixture('<p>a</p>');
  page.frame((server) => server.text(2, 'b').raw(0x7f));
  assert.equal(page.root.innerHTML, '<p>a</p>');
});
