// SPDX-License-Identifier: MIT
// A page in happy-dom with a played socket: the server's side is a FrameWriter, what the client
// sent is decoded.

import { Window } from 'happy-dom';
import type { Ending, Socket } from '../src/connection';
import { Page } from '../src/page';
import { decodeClientFrame, type ClientFrame } from './client_frames';
import { FrameWriter } from './frame_writer';

export type EventFrame = Extract<ClientFrame, { kind: 'event' }>;

export class PlayedSocket implements Socket {
  binaryType = '';
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  readonly sent: ClientFrame[] = [];
  closedWith: number | null = null;

  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.sent.push(decodeClientFrame(bytes));
  }

  close(code: number): void {
    this.closedWith = code;
  }

  open(): void {
    this.onopen?.({} as never);
  }

  deliver(data: unknown): void {
    this.onmessage?.({ data } as never);
  }

  drop(code: number): void {
    this.onclose?.({ code } as never);
  }
}

export class Fixture {
  readonly window = new Window({ url: 'http://127.0.0.1:8000/' });
  readonly socket = new PlayedSocket();
  readonly server = new FrameWriter();
  readonly root: HTMLElement;
  readonly page: Page;
  readonly endings: [Ending, boolean][] = [];
  reloads = 0;

  constructor(
    firstPaint: string,
    options: { isRestored?: boolean; beforeBoot?: (root: HTMLElement) => void } = {},
  ) {
    const document = this.window.document as unknown as Document;
    const { FormData } = this.window;
    Object.assign(globalThis, { document, FormData });
    document.body.innerHTML = `<div id="lattice-root">${firstPaint}</div>`;
    const root = document.getElementById('lattice-root');
    if (root === null) throw new Error('no root');
    this.root = root;
    options.beforeBoot?.(root);
    this.page = new Page({
      root,
      token: 'token',
      openSocket: () => this.socket,
      isRestored: options.isRestored ?? false,
      onReload: () => (this.reloads += 1),
      onEnd: (ending, wasAlive) => this.endings.push([ending, wasAlive]),
    });
    this.socket.open();
  }

  // Delivers one frame.
  frame(write: (server: FrameWriter) => unknown, ack = this.events().length): void {
    write(this.server.begin(ack));
    const bytes = this.server.take();
    this.socket.deliver(bytes.buffer);
  }

  events(): EventFrame[] {
    return this.socket.sent.filter((frame): frame is EventFrame => frame.kind === 'event');
  }

  // What was said, shortly: id, type, fields.
  said(): [number, string, unknown][] {
    return this.events().map(({ id, type, fields }) => [id, type, fields]);
  }

  find<T extends Element = HTMLElement>(selector: string): T {
    const element =
      this.root.querySelector<T>(selector) ?? this.root.ownerDocument.querySelector<T>(selector);
    if (element === null) throw new Error(`nothing is ${selector}`);
    return element;
  }

  fire(target: Element, type: string, init: Record<string, unknown> = {}): Event {
    const { window } = this;
    const bubbles = !/^(focus|blur|toggle|scroll)$/.test(type);
    const Kind = type.startsWith('key')
      ? window.KeyboardEvent
      : /click|mouse/.test(type)
        ? window.MouseEvent
        : window.Event;
    const event = new Kind(type, { bubbles, cancelable: true, ...init }) as unknown as Event;
    for (const [name, value] of Object.entries(init)) {
      if (Reflect.get(event, name) !== value) Object.defineProperty(event, name, { value });
    }
    target.dispatchEvent(event);
    return event;
  }

  type(field: Element, text: string): void {
    const input = field as HTMLInputElement;
    input.value += text;
    input.setSelectionRange(input.value.length, input.value.length);
    this.fire(input, 'input');
  }
}
