// SPDX-License-Identifier: MIT
// Client frames -> plain objects, for tests: what a server's decoder would see.

import { ByteReader } from '../src/bytes';
import { CLIENT, FIELD } from '../src/opcodes';

export type ClientFrame =
  | { readonly kind: 'hello'; readonly token: string; readonly nodeCount: number }
  | { readonly kind: 'ack'; readonly ack: number }
  | {
      readonly kind: 'event';
      readonly seq: number;
      readonly ack: number;
      readonly id: number;
      readonly type: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };

export function decodeClientFrame(bytes: Uint8Array): ClientFrame {
  const reader = new ByteReader(bytes);
  if (reader.u8() !== 1) throw new Error('version');
  const kind = reader.u8();
  switch (kind) {
    case CLIENT.HELLO:
      return { kind: 'hello', token: reader.string(), nodeCount: reader.varint() };
    case CLIENT.ACK:
      return { kind: 'ack', ack: reader.varint() };
    case CLIENT.EVENT: {
      const [seq, ack, id, type] = [
        reader.varint(),
        reader.varint(),
        reader.varint(),
        reader.string(),
      ];
      const fields: Record<string, unknown> = {};
      while (!reader.atEnd) {
        const [name, value] = readField(reader);
        if (name in fields) throw new Error(`field ${name} twice`);
        fields[name] = value;
      }
      return { kind: 'event', seq, ack, id, type, fields };
    }
    default:
      throw new Error(`kind ${kind}`);
  }
}

function readField(reader: ByteReader): [string, unknown] {
  const list = <T>(read: () => T): T[] => Array.from({ length: reader.varint() }, read);
  const tag = reader.u8();
  switch (tag) {
    case FIELD.VALUE:
      return ['value', reader.string()];
    case FIELD.CHECKED:
      return ['checked', reader.u8() === 1];
    case FIELD.KEY:
      return ['key', [reader.string(), reader.u8()]];
    case FIELD.MOUSE:
      return ['mouse', [reader.svarint(), reader.svarint(), reader.u8(), reader.u8()]];
    case FIELD.FILES:
      return ['files', list(() => [reader.string(), reader.varint(), reader.string()])];
    case FIELD.REVISION:
      return ['revision', reader.varint()];
    case FIELD.SELECTED:
      return ['selected', list(() => reader.string())];
    case FIELD.FORM:
      return ['form', list(() => [reader.string(), reader.string()])];
    case FIELD.OPEN:
      return ['open', reader.u8() === 1];
    case FIELD.SCROLL:
      return ['scroll', [reader.varint(), reader.varint()]];
    default:
      throw new Error(`field ${tag}`);
  }
}
