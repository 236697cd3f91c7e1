// SPDX-License-Identifier: MIT
// Server frames by hand, for tests: the encoder's mirror of patch_codec.ts, atoms included.

import { ByteWriter } from '../src/bytes';
import { LISTEN, OP, TREE, VALUE } from '../src/opcodes';

export type Scalar = null | boolean | number | string;

export interface Listen {
  readonly preventDefault?: boolean;
  readonly stopPropagation?: boolean;
  readonly twoWay?: boolean;
  readonly debounce?: number;
  readonly throttle?: number;
  readonly keys?: readonly string[];
}

export type Node =
  | string
  | { readonly html: string }
  | {
      readonly tag: string;
      readonly attrs?: Readonly<Record<string, Scalar>>;
      readonly props?: Readonly<Record<string, Scalar>>;
      readonly listen?: Readonly<Record<string, Listen>>;
      readonly children?: readonly Node[];
    };

export class FrameWriter {
  private readonly atoms = new Map<string, number>();
  private writer = new ByteWriter();
  private seq = 0;

  begin(ack = 0): this {
    this.seq += 1;
    this.writer = new ByteWriter().u8(1).varint(this.seq).varint(ack);
    return this;
  }

  take(): Uint8Array<ArrayBuffer> {
    return this.writer.take();
  }

  raw(...bytes: number[]): this {
    for (const byte of bytes) this.writer.u8(byte);
    return this;
  }

  text(id: number, text: string): this {
    this.writer.u8(OP.TEXT).varint(id).string(text);
    return this;
  }

  attr(id: number, name: string, value: Scalar): this {
    return this.named(OP.SET_ATTR, id, name).value(value);
  }

  prop(id: number, name: string, value: Scalar): this {
    return this.named(OP.SET_PROP, id, name).value(value);
  }

  style(id: number, name: string, value: Scalar): this {
    return this.named(OP.SET_STYLE, id, name).value(value);
  }

  cssClass(id: number, name: string, on: boolean): this {
    return this.named(OP.SET_CLASS, id, name).raw(Number(on));
  }

  listen(id: number, type: string, options: Listen = {}): this {
    return this.named(OP.LISTEN, id, type).options(options);
  }

  unlisten(id: number, type: string): this {
    return this.named(OP.UNLISTEN, id, type);
  }

  insert(parent: number, before: number, firstId: number, tree: Node): this {
    this.writer.u8(OP.INSERT).varint(parent).varint(before).varint(firstId);
    return this.tree(tree);
  }

  remove(id: number): this {
    this.writer.u8(OP.REMOVE).varint(id);
    return this;
  }

  move(id: number, parent: number, before: number): this {
    this.writer.u8(OP.MOVE).varint(id).varint(parent).varint(before);
    return this;
  }

  inputValue(id: number, revision: number, value: Scalar): this {
    this.writer.u8(OP.INPUT_VALUE).varint(id).varint(revision);
    return this.value(value);
  }

  reset(): this {
    return this.raw(OP.RESET);
  }

  title(text: string): this {
    this.writer.u8(OP.TITLE).string(text);
    return this;
  }

  reload(reason: string): this {
    this.writer.u8(OP.RELOAD).string(reason);
    return this;
  }

  error(id: number, title: string, detail: string): this {
    this.writer.u8(OP.ERROR).varint(id).string(title).string(detail);
    return this;
  }

  clearError(id: number): this {
    this.writer.u8(OP.CLEAR_ERROR).varint(id);
    return this;
  }

  private named(op: number, id: number, name: string): this {
    this.writer.u8(op).varint(id);
    return this.atom(name);
  }

  private atom(name: string): this {
    const known = this.atoms.get(name);
    if (known !== undefined) {
      this.writer.varint(known);
    } else {
      this.atoms.set(name, this.atoms.size + 1);
      this.writer.varint(0).string(name);
    }
    return this;
  }

  private value(value: Scalar): this {
    const { writer } = this;
    if (value === null) writer.u8(VALUE.NULL);
    else if (typeof value === 'boolean') writer.u8(value ? VALUE.TRUE : VALUE.FALSE);
    else if (typeof value === 'string') writer.u8(VALUE.STRING).string(value);
    else if (Number.isInteger(value)) writer.u8(VALUE.INT).svarint(value);
    else {
      writer.u8(VALUE.FLOAT);
      this.raw(...new Uint8Array(new Float64Array([value]).buffer));
    }
    return this;
  }

  private options(options: Listen): this {
    const { debounce, throttle, keys } = options;
    this.writer.u8(
      (options.preventDefault === true ? LISTEN.PREVENT_DEFAULT : 0) |
        (options.stopPropagation === true ? LISTEN.STOP_PROPAGATION : 0) |
        (options.twoWay === true ? LISTEN.TWO_WAY : 0) |
        (debounce === undefined ? 0 : LISTEN.DEBOUNCE) |
        (throttle === undefined ? 0 : LISTEN.THROTTLE) |
        (keys === undefined ? 0 : LISTEN.KEYS),
    );
    if (debounce !== undefined) this.writer.varint(debounce);
    if (throttle !== undefined) this.writer.varint(throttle);
    if (keys !== undefined) {
      this.writer.varint(keys.length);
      for (const key of keys) this.writer.string(key);
    }
    return this;
  }

  private tree(node: Node): this {
    const { writer } = this;
    if (typeof node === 'string') {
      writer.u8(TREE.TEXT).string(node);
      return this;
    }
    if ('html' in node) {
      writer.u8(TREE.RAW_HTML).string(node.html);
      return this;
    }
    writer.u8(TREE.ELEMENT);
    this.atom(node.tag);
    const [attrs, props, listen] = [node.attrs, node.props, node.listen].map((part) =>
      Object.entries(part ?? {}),
    );
    writer.varint((attrs?.length ?? 0) + (props?.length ?? 0) + (listen?.length ?? 0));
    for (const [name, value] of Object.entries(node.attrs ?? {}))
      this.raw(OP.SET_ATTR).atom(name).value(value);
    for (const [name, value] of Object.entries(node.props ?? {}))
      this.raw(OP.SET_PROP).atom(name).value(value);
    for (const [name, options] of Object.entries(node.listen ?? {}))
      this.raw(OP.LISTEN).atom(name).options(options);
    writer.varint(node.children?.length ?? 0);
    for (const child of node.children ?? []) this.tree(child);
    return this;
  }
}
