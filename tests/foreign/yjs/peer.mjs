// SPDX-License-Identifier: MIT
// A replica in a process of its own, for the fuzzer: node peer.mjs yjs | ywasm
// Frames on stdin and stdout: length as 32-bit little endian, then a value as node's v8 writes it.
import { deserialize, serialize } from "node:v8";
import * as Y from "yjs";
import { Replica, WasmReplica } from "./peers.mjs";

const make = {
  yjs: (client) => new Replica(Y, client, { events: false }),
  ywasm: (client) => new WasmReplica(client),
}[process.argv[2]];

let replica = null;
const commands = {
  create(client) {
    replica?.free?.();
    replica = make(client);
    return null;
  },
  operate: (operations) => replica.operate(operations),
  apply: (update, version) => replica.apply(update, version),
  encode: (version, state) => replica.encode(version, state),
  state: () => replica.state(),
};

let rest = Buffer.alloc(0);
process.stdin.on("data", (chunk) => {
  rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
  while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32LE(0)) {
    const end = 4 + rest.readUInt32LE(0);
    const [command, ...details] = deserialize(rest.subarray(4, end));
    rest = rest.subarray(end);
    let answer;
    try {
      answer = { value: commands[command](...details) };
    } catch (error) {
      answer = { error: String(error) };
    }
    const body = serialize(answer);
    const head = Buffer.alloc(4);
    head.writeUInt32LE(body.length);
    process.stdout.write(Buffer.concat([head, body]));
  }
});
