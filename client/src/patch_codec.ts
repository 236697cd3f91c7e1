// SPDX-License-Identifier: MIT
// Bytes of a server frame -> a list of ops, as plain data.
//
// A frame is decoded wholly before any of it touches the page, so a bad frame changes nothing.
// Work and memory are bounded by the frame's bytes: every count is read item by item, nothing is
// allocated ahead. The atoms live as long as the connection, hence the decoder is a class.
// protocol/README.md is the specification.

import { ByteReader, ProtocolError } from './bytes';
import { LISTEN, OP, PROTOCOL_VERSION, TREE, VALUE } from './opcodes';

const ATOM_LITERAL = 1 << 20;
const ATOMS_MAX = 65_535;
// Deeper than any page (HTML parsers stop at 512), shallow enough for the stack.
const TREE_DEPTH_MAX = 1_024;

export interface Value {
  readonly raw: null | boolean | number | string;
  // How an attribute, a style or a field shows it. Encoders send floats as text wherever Python's
  // way of writing them matters.
  readonly text: string;
}

export interface ListenOptions {
  readonly preventDefault: boolean;
  readonly stopPropagation: boolean;
  readonly twoWay: boolean;
  readonly debounceMs: number;
  readonly throttleMs: number;
  readonly keys: readonly string[] | null;
}

export type AttributeOp =
  | { readonly op: typeof OP.SET_ATTR; readonly name: string; readonly value: Value }
  | { readonly op: typeof OP.SET_PROP; readonly name: string; readonly value: Value }
  | { readonly op: typeof OP.SET_STYLE; readonly name: string; readonly value: Value }
  | { readonly op: typeof OP.SET_CLASS; readonly name: string; readonly on: boolean }
  | { readonly op: typeof OP.LISTEN; readonly name: string; readonly options: ListenOptions };

export type Tree =
  | {
      readonly kind: typeof TREE.ELEMENT;
      readonly tag: string;
      readonly attributes: readonly AttributeOp[];
      readonly children: readonly Tree[];
    }
  | { readonly kind: typeof TREE.TEXT; readonly text: string }
  | { readonly kind: typeof TREE.RAW_HTML; readonly html: string };

export type Op =
  | (AttributeOp & { readonly id: number })
  | { readonly op: typeof OP.TEXT; readonly id: number; readonly text: string }
  | {
      readonly op: typeof OP.INSERT;
      readonly parent: number;
      readonly before: number;
      readonly firstId: number;
      readonly tree: Tree;
    }
  | { readonly op: typeof OP.REMOVE; readonly id: number }
  | {
      readonly op: typeof OP.MOVE;
      readonly id: number;
      readonly parent: number;
      readonly before: number;
    }
  | { readonly op: typeof OP.UNLISTEN; readonly id: number; readonly name: string }
  | {
      readonly op: typeof OP.INPUT_VALUE;
      readonly id: number;
      readonly revision: number;
      readonly value: Value;
    }
  | { readonly op: typeof OP.RESET }
  | { readonly op: typeof OP.TITLE; readonly text: string }
  | { readonly op: typeof OP.RELOAD; readonly reason: string }
  | {
      readonly op: typeof OP.ERROR;
      readonly id: number;
      readonly title: string;
      readonly detail: string;
    }
  | { readonly op: typeof OP.CLEAR_ERROR; readonly id: number };

export interface Frame {
  readonly seq: number;
  readonly ack: number;
  readonly ops: readonly Op[];
}

export class FrameDecoder {
  readonly #atoms: string[] = [];
  #reader = new ByteReader(new Uint8Array());

  // Throws ProtocolError; the decoder is of no use afterwards.
  decode(bytes: Uint8Array): Frame {
    const reader = (this.#reader = new ByteReader(bytes));
    if (reader.u8() !== PROTOCOL_VERSION) throw new ProtocolError('unknown version');
    const seq = reader.varint();
    const ack = reader.varint();
    const ops: Op[] = [];
    while (!reader.atEnd) ops.push(this.#op());
    return { seq, ack, ops };
  }

  #op(): Op {
    const reader = this.#reader;
    const op = reader.u8();
    switch (op) {
      case OP.SET_ATTR:
      case OP.SET_PROP:
      case OP.SET_STYLE:
      case OP.SET_CLASS:
      case OP.LISTEN: {
        const id = reader.varint();
        return { ...this.#attribute(op), id };
      }
      case OP.TEXT:
        return { op, id: reader.varint(), text: reader.string() };
      case OP.INSERT:
        return {
          op,
          parent: reader.varint(),
          before: reader.varint(),
          firstId: reader.varint(),
          tree: this.#tree(0),
        };
      case OP.REMOVE:
      case OP.CLEAR_ERROR:
        return { op, id: reader.varint() };
      case OP.MOVE:
        return { op, id: reader.varint(), parent: reader.varint(), before: reader.varint() };
      case OP.UNLISTEN:
        return { op, id: reader.varint(), name: this.#atom() };
      case OP.INPUT_VALUE:
        return { op, id: reader.varint(), revision: reader.varint(), value: this.#value() };
      case OP.RESET:
        return { op };
      case OP.TITLE:
        return { op, text: reader.string() };
      case OP.RELOAD:
        return { op, reason: reader.string() };
      case OP.ERROR:
        return { op, id: reader.varint(), title: reader.string(), detail: reader.string() };
      default:
        throw new ProtocolError(`unknown op ${op}`);
    }
  }

  #attribute(op: number): AttributeOp {
    switch (op) {
      case OP.SET_ATTR:
      case OP.SET_PROP:
      case OP.SET_STYLE:
        return { op, name: this.#atom(), value: this.#value() };
      case OP.SET_CLASS:
        return { op, name: this.#atom(), on: this.#flag() };
      case OP.LISTEN:
        return { op, name: this.#atom(), options: this.#listenOptions() };
      default:
        throw new ProtocolError(`unknown attribute op ${op}`);
    }
  }

  #flag(): boolean {
    const byte = this.#reader.u8();
    if (byte > 1) throw new ProtocolError('neither on nor off');
    return byte === 1;
  }

  #tree(depth: number): Tree {
    const reader = this.#reader;
    if (depth > TREE_DEPTH_MAX) throw new ProtocolError('tree too deep');
    const kind = reader.u8();
    switch (kind) {
      case TREE.ELEMENT: {
        const tag = this.#atom();
        const attributes: AttributeOp[] = [];
        for (let left = reader.varint(); left > 0; left -= 1)
          attributes.push(this.#attribute(reader.u8()));
        const children: Tree[] = [];
        for (let left = reader.varint(); left > 0; left -= 1) children.push(this.#tree(depth + 1));
        return { kind, tag, attributes, children };
      }
      case TREE.TEXT:
        return { kind, text: reader.string() };
      case TREE.RAW_HTML:
        return { kind, html: reader.string() };
      default:
        throw new ProtocolError(`unknown tree kind ${kind}`);
    }
  }

  #atom(): string {
    const number = this.#reader.varint();
    if (number === ATOM_LITERAL) return this.#reader.string();
    if (number === 0) {
      if (this.#atoms.length === ATOMS_MAX) throw new ProtocolError('too many atoms');
      const text = this.#reader.string();
      this.#atoms.push(text);
      return text;
    }
    const text = this.#atoms[number - 1];
    if (text === undefined) throw new ProtocolError(`unknown atom ${number}`);
    return text;
  }

  #value(): Value {
    const tag = this.#reader.u8();
    switch (tag) {
      case VALUE.NULL:
        return { raw: null, text: '' };
      case VALUE.FALSE:
        return { raw: false, text: 'False' };
      case VALUE.TRUE:
        return { raw: true, text: 'True' };
      case VALUE.INT: {
        const integer = this.#reader.svarint();
        return { raw: Number(integer), text: String(integer) };
      }
      case VALUE.FLOAT: {
        const float = this.#reader.f64();
        return { raw: float, text: String(float) };
      }
      case VALUE.STRING: {
        const text = this.#reader.string();
        return { raw: text, text };
      }
      default:
        throw new ProtocolError(`unknown value tag ${tag}`);
    }
  }

  #listenOptions(): ListenOptions {
    const reader = this.#reader;
    const flags = reader.u8();
    if (flags > 63) throw new ProtocolError('unknown listen flag');
    const debounceMs = flags & LISTEN.DEBOUNCE ? reader.varint() : 0;
    const throttleMs = flags & LISTEN.THROTTLE ? reader.varint() : 0;
    let keys: string[] | null = null;
    if (flags & LISTEN.KEYS) {
      keys = [];
      for (let left = reader.varint(); left > 0; left -= 1) keys.push(reader.string());
    }
    return {
      preventDefault: (flags & LISTEN.PREVENT_DEFAULT) !== 0,
      stopPropagation: (flags & LISTEN.STOP_PROPAGATION) !== 0,
      twoWay: (flags & LISTEN.TWO_WAY) !== 0,
      debounceMs,
      throttleMs,
      keys,
    };
  }
}
