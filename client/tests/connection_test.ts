// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fixture } from './fixture';

const acks = (page: Fixture): number[] =>
  page.socket.sent.flatMap((frame) => (frame.kind === 'ack' ? [frame.ack] : []));

test('frames are acknowledged after one second', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const page = new Fixture('<p>a</p>');
  page.frame((server) => server.text(2, 'b'));
  page.frame((server) => server.text(2, 'c'));
  context.mock.timers.tick(999);
  assert.deepEqual(acks(page), []);
  context.mock.timers.tick(1);
  assert.deepEqual(acks(page), [2]);
  context.mock.timers.tick(5_000);
  assert.deepEqual(acks(page), [2]);
});

test('sixteen frames are acknowledged at once', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const page = new Fixture('<p>a</p>');
  for (let count = 0; count < 33; count += 1) page.frame((server) => server.text(2, 'b'));
  assert.deepEqual(acks(page), [16, 32]);
});

test('an event acknowledges, and then no ACK follows', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const page = new Fixture('<button>x</button>');
  page.frame((server) => server.listen(1, 'click'));
  page.fire(page.find('button'), 'click');
  context.mock.timers.tick(5_000);
  assert.deepEqual(
    page.events().map(({ seq, ack }) => [seq, ack]),
    [[1, 1]],
  );
  assert.deepEqual(acks(page), []);
});

test('the counters are exact', () => {
  const page = new Fixture('<p>a</p>');
  page.frame((server) => server.text(2, 'b'));
  page.frame((server) => server.text(2, 'hello').title('t'));
  const { frames, bytes, lastBytes, ops } = page.page.stats;
  // Header 3; TEXT 1 + id 1 + length 1 + text; TITLE 1 + length 1 + text.
  assert.deepEqual([frames, bytes, lastBytes, ops], [2, 7 + 14, 14, 3]);
});

for (const [what, data] of [
  ['a text message', 'hello'],
  ['a frame out of order', Uint8Array.of(1, 2, 0).buffer],
  ['an ack of what was never sent', Uint8Array.of(1, 1, 1).buffer],
] as const) {
  test(`${what} ends the connection, and what follows is ignored`, (context) => {
    context.mock.method(console, 'error', () => undefined);
    const page = new Fixture('<p>a</p>');
    page.socket.deliver(data);
    assert.equal(page.socket.closedWith, 4002);
    page.frame((server) => server.text(2, 'b'));
    page.socket.drop(1006);
    assert.equal(page.root.textContent, 'a');
    assert.deepEqual(page.endings, [['broken', false]]);
  });
}

test('a lost connection and an expired token are told apart', () => {
  const lost = new Fixture('<p>a</p>');
  lost.frame((server) => server.text(2, 'b'));
  lost.socket.drop(1006);
  assert.deepEqual(lost.endings, [['lost', true]]);
  const expired = new Fixture('<p>a</p>');
  expired.socket.drop(4001);
  assert.deepEqual(expired.endings, [['expired', false]]);
});

test('an event too large for the server is not sent, the next one is', (context) => {
  context.mock.method(console, 'error', () => undefined);
  const page = new Fixture('<textarea></textarea>');
  page.frame((server) => server.listen(1, 'input', { twoWay: true }));
  const area = page.find<HTMLTextAreaElement>('textarea');
  for (const length of [1 << 20, 3]) {
    area.value = 'x'.repeat(length);
    page.fire(area, 'input');
  }
  assert.deepEqual(page.said(), [[1, 'input', { value: 'xxx', revision: 2 }]]);
  assert.equal(page.events()[0]?.seq, 1);
});

test('no event leaves after the end', () => {
  const page = new Fixture('<button>x</button>');
  page.frame((server) => server.listen(1, 'click'));
  page.socket.drop(1006);
  page.fire(page.find('button'), 'click');
  assert.deepEqual(page.events(), []);
});
