// SPDX-License-Identifier: MIT
// A real Yjs document in a room of ours, by y-websocket's own provider. Commands come as JSON lines
// on standard input, each is answered by one line:
//
//   {"do": "connect" | "disconnect" | "insert" | "erase" | "set" | "push" | "presence" | "raw"
//          | "read" | "end", ...}
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import * as Y from "yjs";
import { WebsocketProvider } from "y-websocket";

const [address, room] = process.argv.slice(2);
const doc = new Y.Doc();
const provider = new WebsocketProvider(address, room, doc, {
  WebSocketPolyfill: WebSocket,
  connect: false,
  disableBc: true,
  maxBackoffTime: 200,
});
const body = doc.getText("body");
const notes = doc.getArray("notes");
const signals = doc.getMap("signals");

function state() {
  return {
    body: body.toString(),
    notes: notes.toJSON(),
    signals: signals.toJSON(),
    presence: Object.fromEntries(provider.awareness.getStates()),
    client: doc.clientID,
    synced: provider.synced,
    connected: provider.wsconnected,
  };
}

// Sends bytes on a connection of its own and reports how that ends.
function raw(bytes) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${address}/${room}`);
    socket.on("open", () => socket.send(Uint8Array.from(bytes)));
    socket.on("close", (code) => resolve({ code }));
    socket.on("error", () => {});
  });
}

const commands = {
  connect: () => provider.connect(),
  disconnect: () => provider.disconnect(),
  insert: ({ at, text }) => body.insert(Math.min(at, body.length), text),
  erase: ({ at, count }) => {
    const from = Math.min(at, body.length);
    body.delete(from, Math.min(count, body.length - from));
  },
  set: ({ key, value }) => signals.set(key, value),
  push: ({ value }) => notes.push([value]),
  presence: ({ state: shown }) => provider.awareness.setLocalState(shown),
  raw: ({ bytes, size }) => raw(bytes ?? new Uint8Array(size)),
  read: () => state(),
  end: () => {
    provider.destroy();
    setTimeout(() => process.exit(0), 50);
  },
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const command = JSON.parse(line);
  const answer = await commands[command.do](command);
  process.stdout.write(`${JSON.stringify(answer ?? {})}\n`);
});
