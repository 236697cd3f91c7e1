// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeAck, encodeEvent, encodeHello, type EventField } from '../src/event_codec';
import { FIELD } from '../src/opcodes';
import { decodeClientFrame } from './client_frames';

test('HELLO and ACK are the bytes of the specification', () => {
  assert.deepEqual([...encodeHello('ab', 300)], [1, 1, 2, 97, 98, 0xac, 0x02]);
  assert.deepEqual([...encodeAck(7)], [1, 3, 7]);
});

test('of a list that is longer than the server takes, the beginning is sent', () => {
  const fields: EventField[] = [{ field: FIELD.SELECTED, values: Array<string>(5_000).fill('') }];
  const frame = decodeClientFrame(encodeEvent({ seq: 1, ack: 0, id: 1, type: 'change', fields }));
  assert(frame.kind === 'event' && Array.isArray(frame.fields['selected']));
  assert.equal(frame.fields['selected'].length, 4_096);
});

test('an event with every field reads back', () => {
  const fields: EventField[] = [
    { field: FIELD.VALUE, text: 'h\u00e9\ud800' },
    { field: FIELD.CHECKED, checked: true },
    { field: FIELD.KEY, key: 'Enter', modifiers: 9 },
    { field: FIELD.MOUSE, x: -5, y: 300, button: -1, modifiers: 2 },
    { field: FIELD.FILES, files: [{ name: 'a.txt', size: 5_000_000_000, type: 'text/plain' }] },
    { field: FIELD.REVISION, revision: 12 },
    { field: FIELD.SELECTED, values: ['a', 'b'] },
    { field: FIELD.FORM, entries: [['name', 'value']] },
    { field: FIELD.OPEN, open: false },
    { field: FIELD.SCROLL, left: 0, top: 4_000 },
  ];
  const frame = decodeClientFrame(encodeEvent({ seq: 1, ack: 2, id: 3, type: 'input', fields }));
  assert.deepEqual(frame, {
    kind: 'event',
    seq: 1,
    ack: 2,
    id: 3,
    type: 'input',
    fields: {
      value: 'h\u00e9\ufffd',
      checked: true,
      key: ['Enter', 9],
      mouse: [-5, 300, 255, 2],
      files: [['a.txt', 5_000_000_000, 'text/plain']],
      revision: 12,
      selected: ['a', 'b'],
      form: [['name', 'value']],
      open: false,
      scroll: [0, 4_000],
    },
  });
});
