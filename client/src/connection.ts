// SPDX-License-Identifier: MIT
// The socket: HELLO, frames in order, acknowledgements, events with their numbers.
//
// One connection lives as long as its page: when it ends, the page is loaded anew. Whatever is
// wrong with a frame ends it; nothing after a bad frame is trusted.

import { ProtocolError } from './bytes';
import { encodeAck, encodeEvent, encodeHello, type EventField } from './event_codec';
import { FrameDecoder, type Frame } from './patch_codec';

const FRAMES_UNACKED_MAX = 16;
const ACK_AFTER_MS = 1_000;
// The server closes on more; a page that sent it again after each reload would never come up.
const EVENT_BYTES_MAX = 1 << 20;
// A script may only name codes of the private range; 4002 stands for the protocol error 1002.
export const CLOSE_PROTOCOL_ERROR = 4002;
export const CLOSE_TOKEN_EXPIRED = 4001;

// The part of WebSocket that is used, so that tests can play one.
export interface Socket {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(code: number, reason: string): void;
}

export type Ending = 'lost' | 'expired' | 'broken';

export interface Stats {
  frames: number;
  bytes: number;
  ops: number;
  lastBytes: number;
  eventsSent: number;
  eventsAcked: number;
}

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly token: string;
  readonly nodeCount: number;
  readonly stats: Stats;
  readonly onFrame: (frame: Frame) => void;
  readonly onEnd: (ending: Ending) => void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #decoder = new FrameDecoder();
  #isOpen = false;
  #hasEnded = false;
  #appliedSeq = 0;
  #ackedSeq = 0;
  #ackTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { socket } = options;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#isOpen = true;
      socket.send(encodeHello(options.token, options.nodeCount));
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => this.#receive(data);
    socket.onclose = ({ code }: CloseEvent) =>
      this.#end(code === CLOSE_TOKEN_EXPIRED ? 'expired' : 'lost');
  }

  // An event after the end is lost, as is the page that it was meant for.
  sendEvent(id: number, type: string, fields: readonly EventField[]): void {
    if (!this.#isOpen) return;
    const { stats, socket } = this.#options;
    const bytes = encodeEvent({
      seq: stats.eventsSent + 1,
      ack: this.#appliedSeq,
      id,
      type,
      fields,
    });
    if (bytes.length > EVENT_BYTES_MAX) {
      console.error(`lattice: ${type} event of ${bytes.length} bytes not sent`);
      return;
    }
    stats.eventsSent += 1;
    socket.send(bytes);
    this.#acked();
  }

  #receive(data: unknown): void {
    if (this.#hasEnded) return;
    try {
      if (!(data instanceof ArrayBuffer)) throw new ProtocolError('text message');
      const bytes = new Uint8Array(data);
      const { stats } = this.#options;
      stats.frames += 1;
      stats.bytes += stats.lastBytes = bytes.length;
      const frame = this.#decoder.decode(bytes);
      if (frame.seq !== this.#appliedSeq + 1)
        throw new ProtocolError(`frame ${frame.seq} out of order`);
      if (frame.ack < stats.eventsAcked || frame.ack > stats.eventsSent) {
        throw new ProtocolError(`ack ${frame.ack} of ${stats.eventsSent}`);
      }
      // Before the frame is applied: an event that it causes already acknowledges it.
      this.#appliedSeq = frame.seq;
      stats.eventsAcked = frame.ack;
      stats.ops += frame.ops.length;
      this.#options.onFrame(frame);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#acknowledgeLater();
  }

  #acknowledgeLater(): void {
    const unacked = this.#appliedSeq - this.#ackedSeq;
    if (unacked >= FRAMES_UNACKED_MAX) this.#acknowledge();
    else if (unacked > 0) this.#ackTimer ??= setTimeout(() => this.#acknowledge(), ACK_AFTER_MS);
  }

  #acknowledge(): void {
    if (this.#isOpen) this.#options.socket.send(encodeAck(this.#appliedSeq));
    this.#acked();
  }

  #acked(): void {
    this.#ackedSeq = this.#appliedSeq;
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
  }

  #fail(error: unknown): void {
    console.error('lattice: bad frame', error);
    const reason = error instanceof Error ? error.message : String(error);
    // The protocol allows 123 bytes; what is not ASCII could take more than its length.
    this.#options.socket.close(CLOSE_PROTOCOL_ERROR, reason.replace(/[^ -~]/g, '?').slice(0, 120));
    this.#end('broken');
  }

  #end(ending: Ending): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#isOpen = false;
    this.#acked();
    this.#options.onEnd(ending);
  }
}
