// SPDX-License-Identifier: MIT
// What the browser says -> bytes of a client frame. The mirror of the server's decode_client_frame.

import { ByteWriter } from './bytes';
import { CLIENT, FIELD, PROTOCOL_VERSION } from './opcodes';

// What the server accepts. Of longer lists (the files of a whole folder) the beginning is sent.
const LIST_ITEMS_MAX = 4_096;

export interface FileEntry {
  readonly name: string;
  readonly size: number;
  readonly type: string;
}

export type EventField =
  | { readonly field: typeof FIELD.VALUE; readonly text: string }
  | { readonly field: typeof FIELD.CHECKED; readonly checked: boolean }
  | { readonly field: typeof FIELD.KEY; readonly key: string; readonly modifiers: number }
  | {
      readonly field: typeof FIELD.MOUSE;
      readonly x: number;
      readonly y: number;
      readonly button: number;
      readonly modifiers: number;
    }
  | { readonly field: typeof FIELD.FILES; readonly files: readonly FileEntry[] }
  | { readonly field: typeof FIELD.REVISION; readonly revision: number }
  | { readonly field: typeof FIELD.SELECTED; readonly values: readonly string[] }
  | { readonly field: typeof FIELD.FORM; readonly entries: readonly (readonly [string, string])[] }
  | { readonly field: typeof FIELD.OPEN; readonly open: boolean }
  | { readonly field: typeof FIELD.SCROLL; readonly left: number; readonly top: number };

export interface ClientEvent {
  readonly seq: number;
  readonly ack: number;
  readonly id: number;
  readonly type: string;
  readonly fields: readonly EventField[];
}

export function encodeHello(token: string, nodeCount: number): Uint8Array<ArrayBuffer> {
  return begin(CLIENT.HELLO).string(token).varint(nodeCount).take();
}

export function encodeAck(seq: number): Uint8Array<ArrayBuffer> {
  return begin(CLIENT.ACK).varint(seq).take();
}

export function encodeEvent(event: ClientEvent): Uint8Array<ArrayBuffer> {
  const writer = begin(CLIENT.EVENT);
  writer.varint(event.seq).varint(event.ack).varint(event.id).string(event.type);
  for (const field of event.fields) writeField(writer, field);
  return writer.take();
}

function begin(kind: number): ByteWriter {
  return new ByteWriter().u8(PROTOCOL_VERSION).u8(kind);
}

function writeList<T>(writer: ByteWriter, list: readonly T[], write: (item: T) => void): void {
  const items = list.slice(0, LIST_ITEMS_MAX);
  writer.varint(items.length);
  items.forEach(write);
}

function writeField(writer: ByteWriter, field: EventField): void {
  writer.u8(field.field);
  switch (field.field) {
    case FIELD.VALUE:
      writer.string(field.text);
      break;
    case FIELD.CHECKED:
      writer.u8(Number(field.checked));
      break;
    case FIELD.KEY:
      writer.string(field.key).u8(field.modifiers);
      break;
    case FIELD.MOUSE:
      writer.svarint(field.x).svarint(field.y).u8(field.button).u8(field.modifiers);
      break;
    case FIELD.FILES:
      writeList(writer, field.files, ({ name, size, type }) =>
        writer.string(name).varint(size).string(type),
      );
      break;
    case FIELD.REVISION:
      writer.varint(field.revision);
      break;
    case FIELD.SELECTED:
      writeList(writer, field.values, (value) => writer.string(value));
      break;
    case FIELD.FORM:
      writeList(writer, field.entries, ([name, value]) => writer.string(name).string(value));
      break;
    case FIELD.OPEN:
      writer.u8(Number(field.open));
      break;
    case FIELD.SCROLL:
      writer.varint(field.left).varint(field.top);
      break;
    default:
      field satisfies never;
  }
}
