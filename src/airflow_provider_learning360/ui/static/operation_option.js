/** An operation in the list: what it does, its name, and whether it changes something. */

import { html } from "./html.js";
import { useMemo } from "./preact_hooks.js";
import { text } from "./texts.js";

/** @param {import("./api.js").Operation | undefined} operation @returns {string} ID of its element */
export function optionId(operation) {
  return operation ? `option-${operation.name}` : "";
}

/** @param {{operation: import("./api.js").Operation, isActive: boolean, onSelect: (name: string) => void}} props */
export function OperationOption({ operation, isActive, onSelect }) {
  // Made once: at each key, only the order changes.
  const content = useMemo(() => html`<${Content} ...${operation} />`, [operation]);
  return html`
    <div
      id=${optionId(operation)}
      class="option"
      role="option"
      aria-selected=${String(isActive)}
      onMouseDown=${keepFocus}
      onClick=${() => onSelect(operation.name)}
    >
      ${content}
    </div>
  `;
}

/** The field keeps the focus, as in every combobox. @param {MouseEvent} event */
function keepFocus(event) {
  event.preventDefault();
}

/** @param {import("./api.js").Operation} operation */
function Content({ name, version, topic, text: sentence, repeat, usual }) {
  return html`
    <span class="option-text" lang="en">${sentence}</span>
    <span class="option-badges">
      ${usual && html`<span class="badge" data-kind="success">${text("operation.usual")}</span>`}
      ${repeat !== "read" && html`<span class="badge" data-kind="warning">${text("operation.writes")}</span>`}
      ${version === "v1" && html`<span class="badge">${text("operation.v1")}</span>`}
    </span>
    <span class="option-name"><code>${name}</code><span lang="en">${topic}</span></span>
  `;
}
