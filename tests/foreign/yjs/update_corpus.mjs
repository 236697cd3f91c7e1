// SPDX-License-Identifier: MIT
// What real Yjs makes of updates: random histories, merged, cut, converted; one case per line.
//
//   node update_corpus.mjs [--seed N] [--histories N] [--steps N] > golden/updates.txt
//
// The committed file is a small run with the defaults; update_golden_test.cpp reads it, and any
// other file of this form that LATTICE_CRDT_CORPUS names. Bytes are base64, lists are joined by
// commas, fields by one space; "-" is an empty list. The cases:
//
//   merge  v1|v2  updates       result
//   diff   v1|v2  update  state result
//   to_v2  update result        to_v1  update result        (convertUpdateFormat)
//   state  v1|v2  update result                             (encodeStateVectorFromUpdate)
//   meta   v1|v2  update  from  to                          (parseUpdateMeta, as state vectors)
//   snapshot  v1|v2  snapshot                               (decoded and encoded again)
//   contains  v1|v2  delete set  state  update  true|false  (snapshotContainsUpdate; sets are v1)
//   any    encoded  json|-                                  (writeAny, JSON.stringify)
//   json   text     encoded                                 (JSON.parse, then writeAny)
import { createRequire } from 'node:module'
import * as Y from 'yjs'
import * as encoding from 'lib0/encoding'

const option = (name, fallback) => {
  const at = process.argv.indexOf(name)
  return at < 0 ? fallback : Number(process.argv[at + 1])
}
const seed = option('--seed', 1)
const histories = option('--histories', 5)
const steps = option('--steps', 16)

let state = seed >>> 0 || 1
const next = () => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  state >>>= 0
  return state
}
const below = n => next() % n
const chance = n => below(n) === 0
const pick = list => list[below(list.length)]

const base64 = bytes => Buffer.from(bytes).toString('base64') || '='
const base64List = list => list.map(base64).join(',') || '-'
const lines = []
const line = (...fields) => lines.push(fields.join(' '))

// Yjs throws for some of what it is asked here (it cannot write a range of no length in v2); then
// there is nothing to compare with.
const attempt = f => {
  try {
    return f()
  } catch {
    return null
  }
}

const characters = ['a', 'b', ' ', '\n', 'é', 'ß', '中', '文', '😀', '👩‍👩‍👧', '\u2028', '"', '\\', '�']
const halves = ['\ud83d', '\ude00']
const randomText = (max, withHalves = false) => {
  let text = ''
  for (let n = 1 + below(max); n > 0; n--) text += withHalves && chance(12) ? pick(halves) : pick(characters)
  return text
}
const numbers = [0, -0, 1, -1, 63, 64, -64, 127, 128, 2 ** 31 - 1, -(2 ** 31 - 1), 2 ** 31, 2 ** 53 - 1, 0.5, 0.1, -1e21, 1e21, 1.5e-7,
  123456789012345680000, 5e-324, 1.7976931348623157e308, 3.4028234663852886e38, Math.PI, 100, 1e-6, 1e-7]
const randomValue = (depth = 0) => {
  switch (below(depth > 2 ? 7 : 10)) {
    case 0: return null
    case 1: return chance(2)
    case 2: return pick(numbers)
    case 3: return below(1000)
    case 4: return randomText(6)
    case 5: return chance(2) ? undefined : 'x'
    case 6: return chance(2) ? 12n : new Uint8Array([1, 2, below(256)])
    case 7: return Array.from({ length: below(4) }, () => randomValue(depth + 1))
    default: return randomObject(depth)
  }
}
// Lists take neither undefined nor bigints at their top.
const listValue = () => {
  const value = randomValue()
  return value === undefined || typeof value === 'bigint' ? null : value
}
const keys = ['a', 'b', 'key', 'é', '1', '10', '2', '02', '4294967295', '4294967294', '']
const randomObject = depth => {
  const object = {}
  for (let n = below(4); n > 0; n--) object[pick(keys)] = randomValue(depth + 1)
  return object
}
const jsonValue = () => {
  for (;;) {
    const text = attempt(() => JSON.stringify(randomValue()))
    if (text) return JSON.parse(text)
  }
}

const randomType = () => pick([
  () => new Y.Map(), () => new Y.Array(), () => new Y.Text(), () => new Y.XmlElement(pick(['p', 'div', 'é'])),
  () => new Y.XmlFragment(), () => new Y.XmlText(), () => new Y.XmlHook('hook')])()
const randomSubdoc = () => new Y.Doc({
  guid: 'guid-' + below(1000), gc: chance(2), autoLoad: chance(2), meta: chance(2) ? null : randomObject(2) })

const stepText = text => {
  const length = text.length
  switch (below(7)) {
    case 0: case 1: return text.insert(below(length + 1), randomText(8, true))
    case 2: return length > 0 && text.delete(below(length), 1 + below(Math.min(3, length)))
    case 3: {
      if (length < 2) return
      const at = below(length - 1)
      return text.format(at, 1 + below(length - at), { [pick(['bold', 'em', 'é'])]: pick([true, null, { size: below(9) }, 'x']) })
    }
    case 4: return text.insertEmbed(below(length + 1), chance(3) ? randomType() : { image: below(9), 1: 'x' })
    case 5: return text.insert(below(length + 1), randomText(3), { bold: pick([true, null]) })
    default: return text.insert(length, pick(characters))
  }
}
const stepArray = array => {
  const length = array.length
  switch (below(6)) {
    case 0: case 1: return array.insert(below(length + 1), Array.from({ length: 1 + below(4) }, listValue))
    case 2: return length > 0 && array.delete(below(length), 1)
    case 3: return array.insert(below(length + 1), [randomType()])
    case 4: return array.insert(below(length + 1), [chance(2) ? randomSubdoc() : new Uint8Array([below(256), 0])])
    default: return array.push([below(100), 'x'])
  }
}
const stepMap = map => {
  const key = pick(['k', 'l', 'é', '😀'])
  switch (below(5)) {
    case 0: return map.delete(key)
    case 1: return map.set(key, randomType())
    case 2: return map.set(key, chance(3) ? randomSubdoc() : new Uint8Array(below(4)))
    default: return map.set(key, randomValue())
  }
}
const stepXml = xml => {
  const length = xml.length
  switch (below(4)) {
    case 0: return length > 0 && xml.delete(below(length), 1)
    case 1: return xml instanceof Y.XmlElement && xml.setAttribute(pick(['a', 'b']), randomText(3))
    default: return xml.insert(below(length + 1), [pick([() => new Y.XmlElement('p'), () => new Y.XmlText('t'), () => new Y.XmlHook('h')])()])
  }
}
// A root or something inside it.
const walk = type => {
  const inside = []
  if (type instanceof Y.Map) type.forEach(value => value instanceof Y.AbstractType && inside.push(value))
  else if (type instanceof Y.XmlFragment || type instanceof Y.Array) type.toArray().forEach(value => value instanceof Y.AbstractType && inside.push(value))
  return inside.length > 0 && chance(2) ? walk(pick(inside)) : type
}
const step = doc => {
  const type = walk(pick([() => doc.getText('text'), () => doc.getArray('array'), () => doc.getMap('map'), () => doc.getXmlFragment('xml'), () => doc.getText('text')])())
  if (type instanceof Y.XmlHook) return
  if (type instanceof Y.Text) stepText(type)
  else if (type instanceof Y.Array) stepArray(type)
  else if (type instanceof Y.Map) stepMap(type)
  else stepXml(type)
}

const versions = {
  v1: {
    apply: Y.applyUpdate, encode: Y.encodeStateAsUpdate, merge: Y.mergeUpdates, diff: Y.diffUpdate,
    state: Y.encodeStateVectorFromUpdate, meta: Y.parseUpdateMeta, convert: Y.convertUpdateFormatV1ToV2, to: 'to_v2', snapshot: Y.encodeSnapshot, event: 'update', contains: (snapshot, update) => Y.snapshotContainsUpdate(snapshot, update)
  },
  v2: {
    apply: Y.applyUpdateV2, encode: Y.encodeStateAsUpdateV2, merge: Y.mergeUpdatesV2, diff: Y.diffUpdateV2,
    state: u => Y.encodeStateVectorFromUpdateV2(u, Y.DSEncoderV1), meta: Y.parseUpdateMetaV2, convert: Y.convertUpdateFormatV2ToV1, to: 'to_v1', snapshot: Y.encodeSnapshotV2, event: 'updateV2', contains: (snapshot, update) => Y.snapshotContainsUpdate(snapshot, Y.convertUpdateFormatV2ToV1(update))
  }
}
const encodeState = map => Y.encodeStateVector(map)

// Docs that exchange updates at random; returns what they sent and where they are.
const play = () => {
  const ids = [pick([1, 2, 7]), 1000 + below(1000), pick([2 ** 32 - 1 - below(9), 2 ** 53 - 1 - below(9), 2 ** 40 + below(9)])]
  const docs = ids.map(id => {
    const doc = new Y.Doc({ gc: chance(2) })
    doc.clientID = id
    return doc
  })
  const sent = { v1: [], v2: [] }
  docs.forEach(doc => Object.keys(sent).forEach(v => doc.on(versions[v].event, (update, origin) => origin !== 'remote' && sent[v].push(update))))
  for (let i = 0; i < steps; i++) {
    const doc = pick(docs)
    if (chance(3)) doc.transact(() => { step(doc); step(doc) })
    else step(doc)
    if (chance(3)) {
      const other = pick(docs)
      if (chance(2) && sent.v1.length > 0) Y.applyUpdate(other, pick(sent.v1), 'remote')
      else Y.applyUpdate(other, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(other)), 'remote')
    }
  }
  return { docs, sent }
}

const randomState = docs => {
  const known = Y.decodeStateVector(Y.encodeStateVector(pick(docs)))
  const cut = new Map()
  known.forEach((clock, client) => chance(5) || cut.set(client, chance(2) ? clock : below(clock + 2)))
  return cut
}

const casesOf = ({ docs, sent }) => {
  for (const [name, v] of Object.entries(versions)) {
    const pool = sent[name].slice()
    docs.forEach(doc => {
      pool.push(v.encode(doc))
      pool.push(v.encode(doc, encodeState(randomState(docs))))
    })
    for (let i = 0; i < 6; i++) {
      const chosen = i === 0 ? sent[name].slice() : Array.from({ length: 2 + below(6) }, () => pick(pool))
      const merged = attempt(() => v.merge(chosen))
      if (merged === null) continue
      line('merge', name, base64List(chosen), base64(merged))
      pool.push(merged)
      const known = encodeState(randomState(docs))
      const diffed = attempt(() => v.diff(merged, known))
      if (diffed !== null) {
        line('diff', name, base64(merged), base64(known), base64(diffed))
        pool.push(diffed)
      }
    }
    for (let i = 0; i < 4; i++) {
      const update = pick(pool)
      const converted = attempt(() => v.convert(update))
      if (converted !== null) line(v.to, base64(update), base64(converted))
      line('state', name, base64(update), base64(v.state(update)))
      const { from, to } = v.meta(update)
      line('meta', name, base64(update), base64(encodeState(from)), base64(encodeState(to)))
      const snapshot = Y.snapshot(pick(docs))
      line('snapshot', name, base64(v.snapshot(snapshot)))
      const encoded = Y.encodeSnapshot(snapshot)
      const stateBytes = encodeState(snapshot.sv)
      const has = attempt(() => v.contains(snapshot, update))
      if (has !== null) line('contains', name, base64(encoded.subarray(0, encoded.length - stateBytes.length)), base64(stateBytes), base64(update), has)
    }
  }
}

// Values as Yjs wrote them before it had lib0's any. No document makes them today.
const legacyJson = () => {
  for (const [name, Encoder] of [['v1', Y.UpdateEncoderV1], ['v2', Y.UpdateEncoderV2]]) {
    const make = (clock, values, other = []) => {
      const encoder = new Encoder()
      encoding.writeVarUint(encoder.restEncoder, 1)
      encoding.writeVarUint(encoder.restEncoder, 1 + other.length)
      encoder.writeClient(5)
      encoding.writeVarUint(encoder.restEncoder, clock)
      for (const list of [values, ...other]) {
        encoder.writeInfo(2)
        encoder.writeParentInfo(true)
        encoder.writeString('list')
        encoder.writeLen(list.length)
        list.forEach(value => encoder.writeString(value === undefined ? 'undefined' : JSON.stringify(value)))
      }
      encoding.writeVarUint(encoder.restEncoder, 0)
      return encoder.toUint8Array()
    }
    const v = versions[name]
    const update = make(0, [1, undefined, 'é😀', { a: [null] }], [['x', 2]])
    const overlapping = make(2, ['y', 'z', 'é', 3, 4])
    line('merge', name, base64List([update, overlapping]), base64(v.merge([update, overlapping])))
    line(v.to, base64(update), base64(v.convert(update)))
    const known = encodeState(new Map([[5, 3]]))
    line('diff', name, base64(update), base64(known), base64(v.diff(update, known)))
  }
}

const values = () => {
  for (let i = 0; i < histories * 12; i++) {
    const value = i < numbers.length ? numbers[i] : pick([() => randomValue(), () => randomText(5, true), () => randomObject(0)])()
    const encoder = encoding.createEncoder()
    encoding.writeAny(encoder, value)
    const encoded = encoding.toUint8Array(encoder)
    const text = attempt(() => JSON.stringify(value))
    // JSON keeps halves of surrogate pairs, which the encoded value has lost.
    const isWhole = text != null && !/\\ud[89a-f]/.test(text)
    line('any', base64(encoded), isWhole ? base64(Buffer.from(text)) : '-')
    if (text != null) {
      const again = encoding.createEncoder()
      encoding.writeAny(again, JSON.parse(text))
      line('json', base64(Buffer.from(text)), base64(encoding.toUint8Array(again)))
    }
  }
}

for (let i = 0; i < histories; i++) casesOf(play())
legacyJson()
values()
const version = createRequire(import.meta.url)('yjs/package.json').version
process.stdout.write(`# made by update_corpus.mjs with yjs ${version}: --seed ${seed} --histories ${histories} --steps ${steps}\n` + lines.join('\n') + '\n')
