// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader, ByteWriter, ProtocolError } from '../src/bytes';

const reader = (...bytes: number[]): ByteReader => new ByteReader(Uint8Array.from(bytes));

test('varints round-trip up to the largest safe integer', () => {
  for (const value of [
    0,
    1,
    127,
    128,
    300,
    16_383,
    16_384,
    2 ** 31,
    2 ** 32,
    2 ** 45 + 7,
    Number.MAX_SAFE_INTEGER,
  ]) {
    assert.equal(new ByteReader(new ByteWriter().varint(value).take()).varint(), value);
  }
});

test('a varint beyond the safe integers is refused', () => {
  assert.throws(
    () => reader(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f).varint(),
    ProtocolError,
  );
});

test('an eleventh varint byte is refused', () => {
  const overlong = [...Array<number>(10).fill(0x80), 0];
  assert.throws(() => reader(...overlong).varint(), ProtocolError);
  assert.throws(() => reader(...overlong).svarint(), ProtocolError);
});

test('signed varints round-trip on both sides of zero', () => {
  for (const value of [0, -1, 1, -64, 64, -12_345, 2 ** 40, -(2 ** 40)]) {
    assert.equal(new ByteReader(new ByteWriter().svarint(value).take()).svarint(), value);
  }
});

test('64-bit integers keep every digit', () => {
  assert.equal(reader(...Array<number>(9).fill(0xff), 1).svarint(), -(2n ** 63n));
  assert.equal(reader(0xfe, ...Array<number>(8).fill(0xff), 1).svarint(), 2n ** 63n - 1n);
  assert.throws(() => reader(...Array<number>(9).fill(0xff), 2).svarint(), ProtocolError);
});

test('text that is not UTF-8 is refused, a byte order mark is kept', () => {
  assert.throws(() => reader(1, 0xff).string(), ProtocolError);
  assert.throws(() => reader(3, 0xed, 0xa0, 0x80).string(), ProtocolError);
  assert.equal(reader(3, 0xef, 0xbb, 0xbf).string(), '\ufeff');
});

test('a length past the end is refused', () => {
  assert.throws(() => reader(2, 65).string(), ProtocolError);
  assert.throws(() => reader(1, 2, 3).f64(), ProtocolError);
  assert.throws(() => reader().u8(), ProtocolError);
});
