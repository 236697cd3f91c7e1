// SPDX-License-Identifier: MIT
// Half a Lattice server: serves one painted page under a strict Content-Security-Policy, takes the
// socket, and does what the test says with every frame.

import { createReadStream } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { decodeClientFrame, type ClientFrame } from '../client_frames';
import { FrameWriter } from '../frame_writer';

export class Visit {
  readonly frames: ClientFrame[] = [];
  readonly socket: WebSocket;
  bytesSent = 0;
  private readonly writer = new FrameWriter();

  constructor(socket: WebSocket) {
    this.socket = socket;
  }

  get events(): Extract<ClientFrame, { kind: 'event' }>[] {
    return this.frames.flatMap((frame) => (frame.kind === 'event' ? [frame] : []));
  }

  send(write: (writer: FrameWriter) => unknown): number {
    write(this.writer.begin(this.events.length));
    const bytes = this.writer.take();
    this.socket.send(bytes);
    this.bytesSent += bytes.length;
    return bytes.length;
  }
}

export interface Script {
  readonly paint: string;
  readonly onFrame: (visit: Visit, frame: ClientFrame) => void;
}

export class MockServer {
  script: Script = { paint: '', onFrame: () => undefined };
  readonly visits: Visit[] = [];
  port = 0;
  private http: Server | null = null;

  // The newest visit.
  get visit(): Visit {
    const visit = this.visits.at(-1);
    if (visit === undefined) throw new Error('nobody is here');
    return visit;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  async start(): Promise<void> {
    const http = createServer((request, response) => {
      response.setHeader(
        'Content-Security-Policy',
        "default-src 'self'; base-uri 'none'; object-src 'none'",
      );
      const { url } = request;
      if (url === '/healthz') response.end('ok');
      else if (url === '/client.js' || url === '/client.css') {
        response.setHeader('Content-Type', url.endsWith('js') ? 'text/javascript' : 'text/css');
        createReadStream(`dist${url}`).pipe(response);
      } else if (url === '/') {
        response.setHeader('Content-Type', 'text/html; charset=utf-8');
        response.end(this.document());
      } else response.writeHead(url === '/favicon.ico' ? 204 : 404).end();
    });
    const sockets = new WebSocketServer({ server: http, path: '/_lattice/ws' });
    sockets.on('connection', (socket) => {
      const visit = new Visit(socket);
      this.visits.push(visit);
      socket.on('message', (data) => {
        const frame = decodeClientFrame(new Uint8Array(data as Buffer));
        visit.frames.push(frame);
        this.script.onFrame(visit, frame);
      });
    });
    await new Promise<void>((resolve) => http.listen(this.port, '127.0.0.1', resolve));
    this.port = (http.address() as AddressInfo).port;
    this.http = http;
  }

  async stop(): Promise<void> {
    for (const { socket } of this.visits) socket.terminate();
    const { http } = this;
    this.http = null;
    if (http === null) return;
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  }

  private document(): string {
    const boot = JSON.stringify({
      token: 't',
      nodes: 0,
      socket: '/_lattice/ws',
      dev: true,
    }).replaceAll('<', '\\u003c');
    return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>mock</title>
<link rel="stylesheet" href="/client.css"></head><body><div id="lattice-root">${this.script.paint}</div>
<script type="application/json" id="lattice-boot">${boot}</script><script type="module" src="/client.js"></script></body></html>`;
  }
}
