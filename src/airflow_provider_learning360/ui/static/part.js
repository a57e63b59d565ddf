/** One part of the page: a numbered title, and what is below it. */

import { html } from "./html.js";

/**
 * @param {object} props
 * @param {number} props.number
 * @param {string} props.id of the title is `${id}-title`
 * @param {string} props.title
 * @param {any} [props.action] beside the title
 * @param {any} props.children
 */
export function Part({ number, id, title, action, children }) {
  return html`
    <section class="step" aria-labelledby=${`${id}-title`}>
      <div class="step-head">
        <h2>
          <span class="number" aria-hidden="true">${number}</span>
          <span id=${`${id}-title`}>${title}</span>
        </h2>
        ${action}
      </div>
      ${children}
    </section>
  `;
}
