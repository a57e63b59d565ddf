/**
 * A button whose work takes time. While it is busy, it says so and ignores clicks.
 * It is not `disabled`, because a disabled button loses the focus.
 */

import { html } from "./html.js";
import { useState } from "./preact_hooks.js";

/** @param {{work: () => Promise<void>, children: any, [attribute: string]: any}} props */
export function BusyButton({ work, children, ...attributes }) {
  const [isBusy, setBusy] = useState(false);
  async function run() {
    if (isBusy) return;
    setBusy(true);
    try {
      await work();
    } finally {
      setBusy(false);
    }
  }
  const state = { "aria-busy": String(isBusy), "aria-disabled": String(isBusy) };
  return html`<button type="button" class="button" ...${attributes} ...${state} onClick=${run}>${children}</button>`;
}
