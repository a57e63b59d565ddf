/** A sentence of the server, which is English, with its `names` as code. */

import { html } from "./html.js";

/** @param {{text: string}} props */
export function Prose({ text }) {
  const parts = text.split("`");
  return html`<span lang="en">${parts.map((part, at) => (at % 2 ? html`<code>${part}</code>` : part))}</span>`;
}
