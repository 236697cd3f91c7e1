// SPDX-License-Identifier: MIT
// Input revisions: why no answer of the server ever overwrites a newer keystroke.
//
// Every editable element counts its edits. An edit's event carries the count, the server's answer
// carries it back, and an answer to an older edit is dropped: the newer one will be answered too.
// While an input method composes, values wait until it is done. A value that lands in a focused
// field keeps the caret where it was in the text.
//
// Edits before the first frame have no listener yet; settleFirst() tells the server of them then.

import {
  editFields,
  isCheckable,
  isContentEditable,
  isControl,
  isEditable,
  isOpenable,
  type Control,
} from './event_fields';
import type { Value } from './patch_codec';

interface EditState {
  revision: number;
  // The last revision that an event carried.
  sent: number;
  // What the element held then, or since the server last wrote to it.
  known: string;
  isComposing: boolean;
  held: { readonly revision: number; readonly value: Value } | null;
}

// What inputs ask of the listeners.
export interface EditSender {
  // Whether the server hears of edits of this very element.
  hears(element: Element): boolean;
  sendEdit(element: Element): void;
  endComposition(element: Element): void;
}

export class Inputs {
  readonly #states = new WeakMap<Element, EditState>();
  readonly #sender: EditSender;
  #pending: { element: Element; revision: number; value: Value }[] = [];
  #written: Element[] = [];

  constructor(root: Element, sender: EditSender) {
    this.#sender = sender;
    // Capture: the count has risen before any listener of the element reads it.
    const observe = (type: string, observer: (element: Element) => void): void => {
      root.addEventListener(
        type,
        (event) => {
          const target = event.target as Element;
          if (isEditable(target)) observer(target);
        },
        true,
      );
    };
    observe('input', (element) => this.#edited(element));
    observe('change', (element) => {
      this.#editedIfNew(element);
      this.#unchecked(root, element);
    });
    observe('toggle', (element) => this.#editedIfNew(element));
    observe('blur', (element) => this.#left(element));
    observe('compositionstart', (element) => {
      this.#state(element).isComposing = true;
    });
    observe('compositionend', (element) => this.#composed(element));
  }

  revision(element: Element): number {
    return this.#state(element).revision;
  }

  isComposing(element: Element): boolean {
    return this.#states.get(element)?.isComposing ?? false;
  }

  // Whether the element holds what the server does not know of.
  isUnsent(element: Element): boolean {
    const state = this.#state(element);
    return state.revision > state.sent;
  }

  wasSent(element: Element): void {
    const state = this.#state(element);
    state.sent = state.revision;
    state.known = signature(element);
  }

  // Values wait for the end of their frame, since the options of a select may come in it too.
  queue(element: Element, revision: number, value: Value): void {
    this.#pending.push({ element, revision, value });
  }

  // What the element is after this frame is the server's doing, and what edits differ from.
  noteWrite(element: Element): void {
    if (isEditable(element)) this.#written.push(element);
  }

  settle(): void {
    const pending = this.#pending;
    const written = this.#written;
    this.#pending = [];
    this.#written = [];
    for (const { element, revision, value } of pending) this.#write(element, revision, value);
    for (const element of written) {
      if (!this.isUnsent(element)) this.#state(element).known = signature(element);
    }
  }

  // Before the first frame's values are applied: finds what was typed into the first paint, whether
  // or not this script was there to see it.
  countEarlyEdits(elements: Iterable<Element>, isRestored: boolean): void {
    for (const element of elements) {
      if (!isControl(element)) continue;
      const fresh = untouched(element);
      if (signature(fresh) === signature(element)) continue;
      const state = this.#state(element);
      const isSeen = state.revision > 0 || document.activeElement === element;
      if (isRestored && !isSeen && !element.name && !element.id) {
        // After a reload browsers fill nameless fields by position: maybe another row's.
        restore(element, fresh);
      } else if (state.revision === 0) {
        state.revision = 1;
      }
    }
  }

  sendEarlyEdits(elements: Iterable<Element>): void {
    for (const element of elements) {
      if (isEditable(element) && this.isUnsent(element)) this.#sender.sendEdit(element);
    }
  }

  #write(element: Element, revision: number, value: Value): void {
    const state = this.#state(element);
    if (state.isComposing) {
      state.held = { revision, value };
      return;
    }
    // An edit nobody listens to gets no answer, so it may not block this one.
    if (state.revision > revision && this.#sender.hears(element)) return;
    writeValue(element, value);
    state.known = signature(element);
  }

  #edited(element: Element): void {
    this.#state(element).revision += 1;
  }

  // A change mostly follows the input event of the same edit; and a toggle follows our own writes.
  #editedIfNew(element: Element): void {
    const state = this.#state(element);
    const now = signature(element);
    if (!this.isUnsent(element) && state.known !== now) state.revision += 1;
  }

  // A radio button that another one switches off fires nothing: its own binding is told here.
  #unchecked(root: Element, element: Element): void {
    if ((element as HTMLInputElement).type !== 'radio') return;
    for (const other of root.querySelectorAll<HTMLInputElement>('[type=radio]')) {
      if (other === element || other.checked) continue;
      this.#editedIfNew(other);
      this.#left(other);
    }
  }

  // Text typed and taken back fires no change event: without this the server's count stays behind.
  // Where there is one, it comes before the blur.
  #left(element: Element): void {
    if (this.isUnsent(element)) this.#sender.sendEdit(element);
  }

  #composed(element: Element): void {
    const state = this.#state(element);
    state.isComposing = false;
    this.#sender.endComposition(element);
    const held = state.held;
    state.held = null;
    if (held !== null) this.#write(element, held.revision, held.value);
  }

  #state(element: Element): EditState {
    let state = this.#states.get(element);
    if (state === undefined) {
      state = { revision: 0, sent: 0, known: signature(element), isComposing: false, held: null };
      this.#states.set(element, state);
    }
    return state;
  }
}

function signature(element: Element): string {
  return JSON.stringify(editFields(element, true));
}

export function writeValue(element: Element, value: Value): void {
  const { raw, text } = value;
  if (isCheckable(element) && typeof raw === 'boolean') {
    element.checked = raw;
  } else if (isOpenable(element)) {
    element.open = raw === true;
  } else if (element.localName === 'option') {
    (element as HTMLOptionElement).selected = raw === true;
  } else if (element.localName === 'select' && (element as HTMLSelectElement).multiple) {
    const chosen = text.split('\n');
    for (const option of (element as HTMLSelectElement).options)
      option.selected = chosen.includes(option.value);
  } else if (isControl(element)) {
    // A file field takes nothing but the empty text from a script.
    if (element.type !== 'file' || text === '') writeText(element, text);
  } else if (isContentEditable(element) && element.textContent !== text) {
    element.textContent = text;
  }
}

function writeText(element: Control, text: string): void {
  const old = element.value;
  if (old === text) return;
  const field = element as HTMLInputElement;
  // Null for the types that have no caret, such as number.
  const [start, end, direction] =
    document.activeElement === element
      ? [field.selectionStart, field.selectionEnd, field.selectionDirection]
      : [];
  element.value = text;
  if (start == null || end == null) return;
  const map = caretMap(old, element.value);
  field.setSelectionRange(map(start), map(end), direction ?? 'none');
}

// Where a caret of the old text belongs in the new one, by what is alike before and behind it.
export function caretMap(old: string, text: string): (caret: number) => number {
  const shorter = Math.min(old.length, text.length);
  let prefix = 0;
  while (prefix < shorter && old[prefix] === text[prefix]) prefix += 1;
  let suffix = 0;
  while (suffix < shorter - prefix && old.at(-1 - suffix) === text.at(-1 - suffix)) suffix += 1;
  return (caret) => {
    if (caret <= prefix) return caret;
    if (caret >= old.length - suffix) return text.length - (old.length - caret);
    return Math.min(caret, text.length - suffix);
  };
}

// What the control would hold untouched. A form's reset knows that of every kind: sliders, colours
// and dates correct what they are given, a select falls back to its first option.
function untouched(element: Control): Control {
  const form = document.createElement('form');
  const copy = element.cloneNode(true) as Control;
  form.append(copy);
  form.reset();
  return copy;
}

function restore(element: Control, from: Control): void {
  if (isCheckable(element)) {
    element.checked = (from as HTMLInputElement).checked;
  } else if (element.localName === 'select') {
    const options = Array.from((from as HTMLSelectElement).options);
    options.forEach(({ selected }, index) => {
      const option = (element as HTMLSelectElement).options[index];
      if (option !== undefined) option.selected = selected;
    });
  } else {
    element.value = from.value;
  }
}
