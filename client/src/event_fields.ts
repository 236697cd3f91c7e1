// SPDX-License-Identifier: MIT
// A DOM event -> the fields that its frame carries.
//
// Read at the moment of sending, not of firing: a debounced event tells the value as it is then.
// Events are told apart by what they have, not by class: autofill fires keydowns without a key.

import type { EventField } from './event_codec';
import { FIELD, MODIFIER } from './opcodes';

export type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

// Elements with a revision: what a user edits, and what a user opens and closes.
export function isEditable(element: Element): boolean {
  return isControl(element) || isOpenable(element) || isContentEditable(element);
}

export function isControl(element: Element): element is Control {
  return /^(input|textarea|select)$/.test(element.localName);
}

export function isCheckable(element: Element): element is HTMLInputElement {
  return (
    element.localName === 'input' && /^(checkbox|radio)$/.test((element as HTMLInputElement).type)
  );
}

export function isOpenable(element: Element): element is HTMLDetailsElement | HTMLDialogElement {
  return /^(details|dialog)$/.test(element.localName);
}

export function isContentEditable(element: Element): boolean {
  const attribute = element.getAttribute('contenteditable');
  return attribute !== null && attribute !== 'false';
}

export function isEdit(type: string): boolean {
  return /^(input|change|toggle)$/.test(type);
}

// What the user has made of an editable element. A two-way event has only this and the revision.
export function editFields(element: Element, isTwoWay: boolean): EventField[] {
  if (isOpenable(element)) return [{ field: FIELD.OPEN, open: element.open }];
  if (!isControl(element)) return [{ field: FIELD.VALUE, text: element.textContent ?? '' }];
  const value: EventField = { field: FIELD.VALUE, text: element.value };
  if (isCheckable(element)) {
    const checked: EventField = { field: FIELD.CHECKED, checked: element.checked };
    return isTwoWay || !element.hasAttribute('value') ? [checked] : [checked, value];
  }
  if (element.localName === 'select' && (element as HTMLSelectElement).multiple) {
    const { selectedOptions } = element as HTMLSelectElement;
    return [
      { field: FIELD.SELECTED, values: Array.from(selectedOptions, (option) => option.value) },
    ];
  }
  const files = element.type === 'file' ? (element as Partial<HTMLInputElement>).files : null;
  return files ? [fileField(files)] : [value];
}

// `element` is the one that listens, the event's target may lie below it.
export function eventFields(
  event: Event,
  element: Element,
  isTwoWay: boolean,
  revision: number,
): EventField[] {
  const own = { field: FIELD.REVISION, revision } as const;
  if (isTwoWay) return [...editFields(element, true), own];
  const target = event.target as Element;
  const fields: EventField[] = [];
  const hasMouse = 'clientX' in event;
  // A click somewhere in a form does not ship the text of the field that it hit.
  if (isEditable(target) && (target === element || !hasMouse))
    fields.push(...editFields(target, false));
  // Only an edit tells its revision: a keydown that did would vouch for text not yet sent.
  if (isEdit(event.type) && target === element && isEditable(element)) fields.push(own);
  if ('key' in event && typeof event.key === 'string') {
    fields.push({ field: FIELD.KEY, key: event.key, modifiers: modifiers(event as KeyboardEvent) });
  }
  if (hasMouse) fields.push(mouseField(event as MouseEvent));
  const dropped = (event as Partial<DragEvent>).dataTransfer?.files;
  if (dropped?.length && !fields.some(({ field }) => field === FIELD.FILES))
    fields.push(fileField(dropped));
  if (event.type === 'submit') fields.push(formField(event as SubmitEvent));
  if (event.type.startsWith('scroll')) {
    // Right-to-left scrollers count below zero.
    const left = Math.abs(Math.round(element.scrollLeft));
    fields.push({ field: FIELD.SCROLL, left, top: Math.max(0, Math.round(element.scrollTop)) });
  }
  return fields;
}

function mouseField(event: MouseEvent): EventField {
  // The wire has 32 bits for a coordinate.
  const [x, y] = [Math.round(event.clientX) | 0, Math.round(event.clientY) | 0];
  return { field: FIELD.MOUSE, x, y, button: event.button, modifiers: modifiers(event) };
}

function modifiers(event: MouseEvent | KeyboardEvent): number {
  return (
    (event.altKey ? MODIFIER.ALT : 0) |
    (event.ctrlKey ? MODIFIER.CTRL : 0) |
    (event.metaKey ? MODIFIER.META : 0) |
    (event.shiftKey ? MODIFIER.SHIFT : 0) |
    ('repeat' in event && event.repeat ? MODIFIER.REPEAT : 0)
  );
}

function fileField(files: FileList): EventField {
  return {
    field: FIELD.FILES,
    files: Array.from(files, ({ name, size, type }) => ({ name, size, type })),
  };
}

function formField(event: SubmitEvent): EventField {
  const entries: [string, string][] = [];
  new FormData(event.target as HTMLFormElement, event.submitter).forEach((value, name) => {
    entries.push([name, typeof value === 'string' ? value : value.name]);
  });
  return { field: FIELD.FORM, entries };
}
