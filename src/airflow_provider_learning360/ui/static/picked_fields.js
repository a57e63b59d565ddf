/** The fields that the reader picked in the tree, and how the next step of the workflow uses each. */

import { CopyButton } from "./copy_button.js";
import { html } from "./html.js";
import { text } from "./texts.js";

/**
 * @param {object} props
 * @param {string[]} props.picked paths
 * @param {Record<string, Record<string, string>>} props.expressions by path and dialect
 * @param {string} props.dialect
 * @param {boolean} props.isLimited whether the step pushes only the picked fields
 * @param {(isLimited: boolean) => void} props.onLimit
 * @param {(path: string) => void} props.onPick takes a field back
 */
export function PickedFields({ picked, expressions, dialect, isLimited, onLimit, onPick }) {
  return html`
    <div id="picked" class="note" role="region" aria-label=${text("pick.title")}>
      <p>${text("pick.title")}</p>
      ${picked.length === 0 && html`<p class="quiet plain">${text("pick.how")}</p>`}
      ${picked.length > 0 && html`
        <ul class="picked">
          ${picked.map((path) => html`
            <${PickedField} key=${path} path=${path} expression=${expressions[path]?.[dialect] ?? ""} onPick=${onPick} />
          `)}
        </ul>
        <label class="tick">
          <input
            id="limit-fields"
            type="checkbox"
            checked=${isLimited}
            onChange=${(event) => onLimit(event.currentTarget.checked)}
          />
          ${text("pick.limit")}
        </label>
      `}
    </div>
  `;
}

/** @param {{path: string, expression: string, onPick: (path: string) => void}} props */
function PickedField({ path, expression, onPick }) {
  const remove = text("pick.remove", { path });
  return html`
    <li>
      <code class="picked-path">${path}</code>
      ${expression && html`
        <code class="picked-expression">${expression}</code>
        <${CopyButton} source=${expression} label=${text("pick.copy")} aria-label=${text("pick.copy_label", { path })} />
      `}
      <button
        type="button"
        class="button"
        data-variant="quiet"
        aria-label=${remove}
        title=${remove}
        onClick=${() => onPick(path)}
      >
        ×
      </button>
    </li>
  `;
}
