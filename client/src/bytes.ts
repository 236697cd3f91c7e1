// SPDX-License-Identifier: MIT
// Reading and writing the wire's scalars: varints, length-prefixed UTF-8, little-endian doubles.
//
// The reader never reads past its bytes; what is short, overlong or not UTF-8 throws ProtocolError,
// which only the connection catches.

export class ProtocolError extends Error {}

const VARINT_BYTES_MAX = 10;
const UINT64_MAX = (1n << 64n) - 1n;

// ignoreBOM keeps a leading U+FEFF: it is part of the text, not a mark of the encoding.
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  u8(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw new ProtocolError('short frame');
    this.#offset += 1;
    return byte;
  }

  // Ids, counts and lengths: what a double cannot hold exactly is refused.
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < VARINT_BYTES_MAX; count += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 0x80;
    }
    throw new ProtocolError('varint too large');
  }

  // A 64-bit integer; a bigint only where a number would lose digits.
  svarint(): number | bigint {
    let raw = 0n;
    for (let count = 0; count < VARINT_BYTES_MAX; count += 1) {
      const byte = this.u8();
      raw |= BigInt(byte & 0x7f) << BigInt(7 * count);
      if (byte < 0x80) {
        if (raw > UINT64_MAX) break;
        const value = (raw >> 1n) ^ -(raw & 1n);
        const short = Number(value);
        return Number.isSafeInteger(short) ? short : value;
      }
    }
    throw new ProtocolError('varint too large');
  }

  f64(): number {
    const raw = this.#take(8);
    return new DataView(raw.buffer, raw.byteOffset, 8).getFloat64(0, true);
  }

  string(): string {
    const raw = this.#take(this.varint());
    try {
      return utf8Decoder.decode(raw);
    } catch {
      throw new ProtocolError('invalid UTF-8');
    }
  }

  #take(length: number): Uint8Array {
    const end = this.#offset + length;
    if (end > this.#bytes.length) throw new ProtocolError('short frame');
    const raw = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return raw;
  }
}

export class ByteWriter {
  readonly #bytes: number[] = [];

  u8(value: number): this {
    this.#bytes.push(value & 0xff);
    return this;
  }

  // REQUIRES: a safe integer, not negative.
  varint(value: number): this {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes.push((rest % 0x80) | 0x80);
    this.#bytes.push(rest);
    return this;
  }

  // REQUIRES: an integer of at most 52 bits, so that the zigzag stays exact.
  svarint(value: number): this {
    return this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  // Lone surrogates (half an emoji in a text field) become U+FFFD: the wire is UTF-8.
  string(text: string): this {
    const raw = utf8Encoder.encode(text);
    this.varint(raw.length);
    for (const byte of raw) this.#bytes.push(byte);
    return this;
  }

  take(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes);
  }
}
