// SPDX-License-Identifier: MIT
// What the server wants to hear: one listener per element and event type, with its options.
//
// Delay rules: a debounced event goes out when it has been quiet for that long, a throttled one at
// once and then at most once per interval, the last always; with both, the throttle bounds how long
// the debounce may wait. An event that goes out takes waiting edits along first, so a submit never
// overtakes the text that it submits.

import type { EventField } from './event_codec';
import { eventFields, isEdit } from './event_fields';
import type { Inputs } from './inputs';
import type { ListenOptions } from './patch_codec';

// Events of a stream (mouse moves, scrolling) that say nothing about waiting edits.
const CONTINUOUS = /move|over|(?<!focus)out|enter|leave|scroll|wheel|drag/;
const FOCUS = /^(focus|blur)/;
const EARLY_EVENTS_MAX = 16;

export interface EventSink {
  send(element: Element, type: string, fields: EventField[]): void;
}

interface Host {
  readonly sink: EventSink;
  readonly inputs: () => Inputs;
  readonly isMoving: () => boolean;
  readonly waiting: Set<Listener>;
}

export class Listeners {
  readonly #byElement = new WeakMap<Element, Map<string, Listener>>();
  readonly #waiting = new Set<Listener>();
  readonly #host: Host;
  #early: { readonly event: Event; readonly path: Element[] }[] | null = [];

  constructor(root: Element, sink: EventSink, inputs: () => Inputs, isMoving: () => boolean) {
    this.#host = { sink, inputs, isMoving, waiting: this.#waiting };
    for (const type of ['click', 'submit'])
      root.addEventListener(type, (event) => this.#keepEarly(event), true);
  }

  listen(element: Element, type: string, options: ListenOptions): void {
    let types = this.#byElement.get(element);
    if (types === undefined) this.#byElement.set(element, (types = new Map<string, Listener>()));
    const known = types.get(type);
    if (known !== undefined) {
      known.options = options;
      return;
    }
    const listener = new Listener(this.#host, element, type, options);
    types.set(type, listener);
    element.addEventListener(type, listener);
  }

  unlisten(element: Element, type: string): void {
    const listener = this.#byElement.get(element)?.get(type);
    if (listener === undefined) return;
    element.removeEventListener(type, listener);
    listener.cancel();
    this.#byElement.get(element)?.delete(type);
  }

  hears(element: Element): boolean {
    return this.#editListener(element) !== undefined;
  }

  // Sends the element's edit now, as the event that the server listens to.
  sendEdit(element: Element): void {
    this.#editListener(element)?.send();
  }

  endComposition(element: Element): void {
    for (const listener of this.#byElement.get(element)?.values() ?? []) listener.resume();
  }

  // From the first frame on events are heard; those that came too early are made up for.
  replayEarly(): void {
    const early = this.#early ?? [];
    this.#early = null;
    for (const { event, path } of early) {
      for (const element of path) this.#byElement.get(element)?.get(event.type)?.handleEvent(event);
    }
  }

  #keepEarly(event: Event): void {
    if (this.#early === null) return;
    // A form without an address belongs to a handler; sending it would load the page anew.
    if (event.type === 'submit' && !(event.target as Element).hasAttribute('action'))
      event.preventDefault();
    if (this.#early.length === EARLY_EVENTS_MAX) return;
    const path = event.composedPath().filter((target): target is Element => 'localName' in target);
    this.#early.push({ event, path });
  }

  #editListener(element: Element): Listener | undefined {
    const types = this.#byElement.get(element);
    return types?.get('input') ?? types?.get('change') ?? types?.get('toggle');
  }
}

class Listener implements EventListenerObject {
  options: ListenOptions;
  readonly #host: Host;
  readonly #element: Element;
  readonly #type: string;
  #event: Event | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isHeld = false;
  // When the oldest waiting event came, and when the last one went.
  #waitingSince = 0;
  #sentAt = -Infinity;

  constructor(host: Host, element: Element, type: string, options: ListenOptions) {
    this.#host = host;
    this.#element = element;
    this.#type = type;
    this.options = options;
  }

  handleEvent(event: Event): void {
    const options = this.options;
    const type = this.#type;
    if (this.#host.isMoving() && FOCUS.test(type)) return;
    if ('key' in event && typeof event.key === 'string') {
      // The keys of an input method, above all the Enter that accepts its proposal, are its own.
      if ((event as KeyboardEvent).isComposing) return;
      if (options.keys !== null && !options.keys.includes(event.key)) return;
    }
    if (options.preventDefault) event.preventDefault();
    if (options.stopPropagation) event.stopPropagation();
    // A toggle that our own write caused is no edit.
    if (options.twoWay && type === 'toggle' && !this.#host.inputs().isUnsent(this.#element)) return;
    if (this.#event === null) this.#waitingSince = Date.now();
    this.#event = event;
    if (isEdit(type) && this.#host.inputs().isComposing(event.target as Element)) {
      this.#isHeld = true;
      return;
    }
    this.#schedule();
  }

  // The input method is done: what waited for it takes the usual way.
  resume(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#schedule();
  }

  send(): void {
    // Without an event this is an edit that fired none: its two-way form says all.
    const event = this.#event;
    const element = this.#element;
    const type = this.#type;
    const host = this.#host;
    const inputs = host.inputs();
    this.cancel();
    if (type !== 'input' && !CONTINUOUS.test(type))
      for (const other of host.waiting) other.#sendIfEdit();
    const source = event ?? { type, target: element };
    const fields = eventFields(
      source as Event,
      element,
      this.options.twoWay,
      inputs.revision(element),
    );
    if (isEdit(type)) inputs.wasSent(element);
    this.#sentAt = Date.now();
    host.sink.send(element, type, fields);
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#event = null;
    this.#isHeld = false;
    this.#host.waiting.delete(this);
  }

  #sendIfEdit(): void {
    if (isEdit(this.#type)) this.send();
  }

  #schedule(): void {
    const { debounceMs, throttleMs } = this.options;
    const now = Date.now();
    let due = throttleMs > 0 ? this.#sentAt + throttleMs : now;
    if (debounceMs > 0) {
      due = now + debounceMs;
      if (throttleMs > 0) due = Math.min(due, this.#waitingSince + throttleMs);
    }
    if (due <= now) {
      this.send();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.send(), due - now);
    this.#host.waiting.add(this);
  }
}
