// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter, ProtocolError } from '../src/bytes';
import { OP, RESERVED, TREE } from '../src/opcodes';
import { FrameDecoder } from '../src/patch_codec';
import { FrameWriter } from './frame_writer';

const everyOp = (): Uint8Array =>
  new FrameWriter()
    .begin(3)
    .text(1, 'a\u00e9\u{1f600}')
    .attr(2, 'title', 'x')
    .attr(2, 'tabindex', -1)
    .prop(2, 'checked', true)
    .style(2, '--gap', 1.5)
    .cssClass(2, 'done', true)
    .insert(0, 0, 5, {
      tag: 'div',
      attrs: { title: null },
      props: { open: false },
      listen: { click: { keys: ['Enter', 'a'], debounce: 200, throttle: 300 } },
      children: ['text', { html: '<b>' }],
    })
    .remove(3)
    .move(4, 0, 2)
    .listen(2, 'input', { twoWay: true, preventDefault: true, stopPropagation: true })
    .unlisten(2, 'input')
    .inputValue(2, 7, 'v')
    .title('t')
    .error(2, 'title', 'detail')
    .clearError(2)
    .reset()
    .reload('why')
    .take();

test('every op decodes to what was written', () => {
  const { seq, ack, ops } = new FrameDecoder().decode(everyOp());
  assert.deepEqual([seq, ack], [1, 3]);
  assert.deepEqual(
    ops.map(({ op }) => op),
    [
      OP.TEXT,
      OP.SET_ATTR,
      OP.SET_ATTR,
      OP.SET_PROP,
      OP.SET_STYLE,
      OP.SET_CLASS,
      OP.INSERT,
      OP.REMOVE,
      OP.MOVE,
      OP.LISTEN,
      OP.UNLISTEN,
      OP.INPUT_VALUE,
      OP.TITLE,
      OP.ERROR,
      OP.CLEAR_ERROR,
      OP.RESET,
      OP.RELOAD,
    ],
  );
  assert.deepEqual(ops[0], { op: OP.TEXT, id: 1, text: 'a\u00e9\u{1f600}' });
  assert.deepEqual(ops[2], {
    op: OP.SET_ATTR,
    id: 2,
    name: 'tabindex',
    value: { raw: -1, text: '-1' },
  });
  assert.deepEqual(ops[8], { op: OP.MOVE, id: 4, parent: 0, before: 2 });
  const insert = ops[6];
  assert(insert?.op === OP.INSERT && insert.tree.kind === TREE.ELEMENT);
  assert.equal(insert.tree.children.length, 2);
  assert.deepEqual(insert.tree.attributes[2], {
    op: OP.LISTEN,
    name: 'click',
    options: {
      preventDefault: false,
      stopPropagation: false,
      twoWay: false,
      debounceMs: 200,
      throttleMs: 300,
      keys: ['Enter', 'a'],
    },
  });
});

test('a frame cut at any byte is refused or ends between two ops', () => {
  const whole = everyOp();
  const count = new FrameDecoder().decode(whole).ops.length;
  let refused = 0;
  for (let length = 0; length < whole.length; length += 1) {
    try {
      assert(new FrameDecoder().decode(whole.subarray(0, length)).ops.length < count);
    } catch (error) {
      assert(error instanceof ProtocolError, String(error));
      refused += 1;
    }
  }
  assert.equal(whole.length - refused, count, 'only the cuts between ops pass');
});

test('random bytes are decoded or refused, never anything else', () => {
  let state = 12_345;
  const random = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16;
  const whole = everyOp();
  for (let round = 0; round < 20_000; round += 1) {
    const bytes = whole.slice();
    for (let flips = random() % 4; flips >= 0; flips -= 1)
      bytes[random() % bytes.length] = random();
    try {
      new FrameDecoder().decode(bytes);
    } catch (error) {
      assert(error instanceof ProtocolError, `round ${round}: ${String(error)}`);
    }
  }
});

test('reserved and unknown op codes are refused', () => {
  const known = new Set<number>(Object.values(OP));
  for (let code = 0; code < 256; code += 1) {
    if (known.has(code)) continue;
    assert.throws(() => new FrameDecoder().decode(Uint8Array.of(1, 1, 0, code)), /unknown op/);
  }
  for (const [first, last] of Object.values(RESERVED))
    assert(!known.has(first) && !known.has(last));
});

test('another version is refused', () => {
  assert.throws(() => new FrameDecoder().decode(Uint8Array.of(2, 1, 0)), ProtocolError);
});

test('atoms last over frames, literals define nothing, unknown ones are refused', () => {
  const decoder = new FrameDecoder();
  decoder.decode(Uint8Array.of(1, 1, 0, OP.UNLISTEN, 1, 0, 1, 97));
  const literal = new ByteWriter()
    .u8(1)
    .varint(2)
    .varint(0)
    .u8(OP.UNLISTEN)
    .varint(1)
    .varint(1 << 20)
    .string('b');
  const name = (bytes: Uint8Array): unknown =>
    Reflect.get(decoder.decode(bytes).ops[0] ?? {}, 'name');
  assert.equal(name(literal.take()), 'b');
  assert.equal(name(Uint8Array.of(1, 3, 0, OP.UNLISTEN, 1, 1)), 'a');
  assert.throws(() => decoder.decode(Uint8Array.of(1, 4, 0, OP.UNLISTEN, 1, 2)), /unknown atom 2/);
});

test('the 65,536th atom is refused', () => {
  const writer = new ByteWriter().u8(1).varint(1).varint(0);
  for (let count = 0; count < 65_535; count += 1)
    writer.u8(OP.UNLISTEN).varint(1).varint(0).string('');
  const full = writer.take();
  assert.equal(new FrameDecoder().decode(full).ops.length, 65_535);
  const over = new Uint8Array([...full, OP.UNLISTEN, 1, 0, 0]);
  assert.throws(() => new FrameDecoder().decode(over), /too many atoms/);
});

test('a tree deeper than any page is refused, not a stack overflow', () => {
  const writer = new ByteWriter()
    .u8(1)
    .varint(1)
    .varint(0)
    .u8(OP.INSERT)
    .varint(0)
    .varint(0)
    .varint(1);
  writer.u8(TREE.ELEMENT).varint(0).string('b').varint(0).varint(1);
  for (let depth = 0; depth < 50_000; depth += 1)
    writer.u8(TREE.ELEMENT).varint(1).varint(0).varint(1);
  assert.throws(() => new FrameDecoder().decode(writer.take()), /too deep/);
});
