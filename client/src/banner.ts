// SPDX-License-Identifier: MIT
// The line that says how the connection is. A status region: read out when the reader is idle.

export class Banner {
  readonly #region = document.createElement('div');

  constructor() {
    this.#region.className = 'lattice-banner';
    // There from the start: screen readers announce changes of regions that they already know.
    this.#region.setAttribute('role', 'status');
    document.body.append(this.#region);
  }

  show(text: string, reload?: () => void): void {
    this.#region.textContent = text;
    if (reload === undefined) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Reload';
    button.addEventListener('click', reload);
    this.#region.append(button);
  }
}
