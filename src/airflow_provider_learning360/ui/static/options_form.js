/**
 * The options of our operators, for the workflow.
 *
 * @typedef {Record<string, any>} Options by name; those left empty are not in it
 */

import { linesOf } from "./argument_values.js";
import { html } from "./html.js";
import { text } from "./texts.js";

/** How each option is filled in. */
const KINDS = {
  pages: "number",
  fields: "list",
  exclude: "list",
  contract: ["ignore", "warn", "strict"],
  watch: "list",
  interval: "number",
  dry_run: "tick",
  replace: "tick",
  wait_for: "tick",
};

/** @param {{names: string[], options: Options, onChange: (name: string, value: any) => void}} props */
export function OptionsForm({ names, options, onChange }) {
  const known = names.filter((name) => name in KINDS);
  if (known.length === 0) return null;
  return html`
    <details id="options">
      <summary>${text("option.title")}</summary>
      <div class="form-fields">
        ${known.map((name) => html`
          <${Option} key=${name} name=${name} value=${options[name]} onChange=${(value) => onChange(name, value)} />
        `)}
      </div>
    </details>
  `;
}

/** @param {{name: string, value: any, onChange: (value: any) => void}} props */
function Option({ name, value, onChange }) {
  const id = `option-${name}`;
  const help = html`<p id=${`${id}-help`} class="help">${text(`option.${name}`)}</p>`;
  if (KINDS[name] === "tick") {
    return html`
      <div class="form-field">
        <label class="tick">
          <input id=${id} type="checkbox" aria-describedby=${`${id}-help`} checked=${Boolean(value)}
            onChange=${(event) => onChange(event.currentTarget.checked || undefined)} />
          <code>${name}</code>
        </label>
        ${help}
      </div>
    `;
  }
  return html`
    <div class="form-field">
      <label for=${id}><code>${name}</code></label>
      <${Control} id=${id} kind=${KINDS[name]} value=${value} onChange=${onChange} />
      ${help}
    </div>
  `;
}

/** @param {{id: string, kind: string | string[], value: any, onChange: (value: any) => void}} props */
function Control({ id, kind, value, onChange }) {
  const described = { id, "aria-describedby": `${id}-help` };
  if (Array.isArray(kind)) {
    return html`
      <select ...${described} value=${value ?? ""} onChange=${(event) => onChange(event.currentTarget.value || undefined)}>
        <option value="">${text("option.default")}</option>
        ${kind.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
      </select>
    `;
  }
  if (kind === "number") {
    const change = (event) => onChange(event.currentTarget.valueAsNumber || undefined);
    return html`<input ...${described} type="number" min="1" value=${value ?? ""} onInput=${change} />`;
  }
  return html`<${Names} described=${described} value=${value ?? []} onChange=${onChange} />`;
}

/** Names, separated by commas. */
function Names({ described, value, onChange }) {
  const change = (event) => {
    const names = linesOf(event.currentTarget.value);
    onChange(names.length > 0 ? names : undefined);
  };
  return html`<input ...${described} type="text" spellcheck="false" value=${value.join(", ")} onChange=${change} />`;
}
