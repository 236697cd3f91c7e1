// SPDX-License-Identifier: MIT
// The golden frames, read by the tests of both sides; protocol/golden/README.md describes them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ProtocolError } from '../src/bytes';
import {
  encodeAck,
  encodeEvent,
  encodeHello,
  type EventField,
  type FileEntry,
} from '../src/event_codec';
import { FIELD, OP, TREE } from '../src/opcodes';
import {
  FrameDecoder,
  type AttributeOp,
  type ListenOptions,
  type Op,
  type Tree,
  type Value,
} from '../src/patch_codec';
import { Fixture } from './fixture';

type Json = Record<string, unknown>;

function golden<T>(name: string): T {
  // The tests run from the client's folder.
  return JSON.parse(readFileSync(`../protocol/golden/${name}.json`, 'utf8'), withoutFloats) as T;
}

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

function nameOf(op: number): string {
  return Object.entries(OP).find(([, code]) => code === op)?.[0] ?? '?';
}

function plainValue({ raw, text }: Value): unknown {
  return typeof raw === 'number' && !Number.isFinite(raw) ? text.toLowerCase() : raw;
}

// JavaScript has but one kind of number, so `{"f64": 1.0}` and 1 decode alike.
function withoutFloats(_name: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'f64' in value ? value.f64 : value;
}

function plainOptions(options: ListenOptions): Json {
  return {
    ...(options.preventDefault && { prevent_default: true }),
    ...(options.stopPropagation && { stop_propagation: true }),
    ...(options.twoWay && { two_way: true }),
    ...(options.debounceMs > 0 && { debounce: options.debounceMs }),
    ...(options.throttleMs > 0 && { throttle: options.throttleMs }),
    ...(options.keys !== null && { keys: options.keys }),
  };
}

function plainTree(tree: Tree): Json {
  switch (tree.kind) {
    case TREE.TEXT:
      return { text: tree.text };
    case TREE.RAW_HTML:
      return { html: tree.html };
    case TREE.ELEMENT:
      return {
        tag: tree.tag,
        attrs: tree.attributes.map(plainOp),
        children: tree.children.map(plainTree),
      };
  }
}

function plainOp(op: Op | AttributeOp): Json {
  const plain: Json = {};
  for (const [name, value] of Object.entries(op) as [string, unknown][]) {
    if (name === 'op') plain['op'] = nameOf(op.op);
    else if (name === 'value') plain['value'] = plainValue(value as Value);
    else if (name === 'options') plain['options'] = plainOptions(value as ListenOptions);
    else if (name === 'tree') plain['tree'] = plainTree(value as Tree);
    else if (name === 'firstId') plain['first'] = value;
    else if (name === 'reason') plain['text'] = value;
    else plain[name] = value;
  }
  return plain;
}

for (const { name, frames } of golden<{ name: string; frames: (Json & { hex: string })[] }[]>(
  'down',
)) {
  test(`golden connection decodes: ${name}`, () => {
    const decoder = new FrameDecoder();
    for (const { hex, ...expected } of frames) {
      const { seq, ack, ops } = decoder.decode(bytes(hex));
      // Through JSON, so that -0 and 0, or a missing and an absent name, do not differ.
      assert.deepEqual(JSON.parse(JSON.stringify({ seq, ack, ops: ops.map(plainOp) })), expected);
    }
  });
}

for (const { name, hex } of golden<{ name: string; hex: string }[]>('down_malformed')) {
  test(`golden malformed frame is refused: ${name}`, () => {
    assert.throws(() => new FrameDecoder().decode(bytes(hex)), ProtocolError);
  });
}

interface GoldenEvent {
  readonly kind: string;
  readonly [name: string]: unknown;
}

function fields(plain: Json): EventField[] {
  return Object.entries(plain).map(([name, value]): EventField => {
    const object = value as Json;
    switch (name) {
      case 'value':
        return { field: FIELD.VALUE, text: value as string };
      case 'checked':
        return { field: FIELD.CHECKED, checked: value as boolean };
      case 'key':
        return {
          field: FIELD.KEY,
          key: object['key'] as string,
          modifiers: object['modifiers'] as number,
        };
      case 'mouse': {
        const { x, y, button, modifiers } = object as Record<
          'x' | 'y' | 'button' | 'modifiers',
          number
        >;
        return { field: FIELD.MOUSE, x, y, button, modifiers };
      }
      case 'files': {
        const files = (value as Json[]).map((file) => ({
          name: file['name'],
          size: file['bytes'],
          type: file['type'],
        }));
        return { field: FIELD.FILES, files: files as unknown as FileEntry[] };
      }
      case 'revision':
        return { field: FIELD.REVISION, revision: value as number };
      case 'selected':
        return { field: FIELD.SELECTED, values: value as string[] };
      case 'form':
        return { field: FIELD.FORM, entries: value as [string, string][] };
      case 'open':
        return { field: FIELD.OPEN, open: value as boolean };
      case 'scroll':
        return {
          field: FIELD.SCROLL,
          left: object['left'] as number,
          top: object['top'] as number,
        };
      default:
        throw new Error(`golden field ${name}`);
    }
  });
}

function encode(frame: GoldenEvent): Uint8Array {
  const number = (name: string): number => frame[name] as number;
  switch (frame.kind) {
    case 'HELLO':
      return encodeHello(frame['token'] as string, number('nodes'));
    case 'ACK':
      return encodeAck(number('ack'));
    case 'EVENT':
      return encodeEvent({
        seq: number('seq'),
        ack: number('ack'),
        id: number('id'),
        type: frame['type'] as string,
        fields: fields(frame['fields'] as Json),
      });
    default:
      throw new Error(`golden kind ${frame.kind}`);
  }
}

for (const { name, hex, frame } of golden<{ name: string; hex: string; frame: GoldenEvent }[]>(
  'client',
)) {
  test(`golden client frame encodes: ${name}`, () => {
    assert.equal(Buffer.from(encode(frame)).toString('hex'), hex);
  });
}

for (const { name, html, nodes } of golden<{ name: string; html: string; nodes: string[] }[]>(
  'first_paint',
)) {
  test(`golden first paint is adopted: ${name}`, () => {
    const { tree } = new Fixture(html).page;
    const names = Array.from({ length: tree.nodeCount }, (_, index) => {
      const node = tree.node(index + 1);
      return node.nodeType === 1 ? (node as Element).localName : node.nodeName;
    });
    assert.deepEqual(names, nodes);
  });
}
