/** A field with its label, its help, and what is wrong with it. */

import { html } from "./html.js";
import { Prose } from "./prose.js";

/**
 * @param {object} props
 * @param {string} props.id
 * @param {string} props.label
 * @param {string} [props.help]
 * @param {string} [props.problem] of the server, in English; empty if there is none
 * @param {(attributes: Record<string, any>) => any} props.children makes the control, with these attributes
 */
export function Labelled({ id, label, help, problem, children }) {
  const described = [help && `${id}-help`, problem && `${id}-problem`].filter(Boolean).join(" ");
  const attributes = { id, "aria-invalid": problem ? "true" : null, "aria-describedby": described || null };
  return html`
    <div class="form-field">
      <label for=${id}>${label}</label>
      ${children(attributes)}
      ${help && html`<p id=${`${id}-help`} class="help">${help}</p>`}
      ${problem && html`<p id=${`${id}-problem`} class="problem"><${Prose} text=${problem} /></p>`}
    </div>
  `;
}

/**
 * Values of which each can be ticked.
 * @param {{label: string, values: {id: string, label: string}[], chosen: string[], problem?: string,
 *   onChange: (chosen: string[]) => void}} props
 */
export function Ticks({ label, values, chosen, problem, onChange }) {
  const toggle = (id) => onChange(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]);
  return html`
    <fieldset class="ticks">
      <legend>${label}</legend>
      <div class="choices">
        ${values.map((one) => html`
          <label key=${one.id} class="tick">
            <input type="checkbox" checked=${chosen.includes(one.id)} onChange=${() => toggle(one.id)} /> ${one.label}
          </label>
        `)}
      </div>
      ${problem && html`<p class="problem"><${Prose} text=${problem} /></p>`}
    </fieldset>
  `;
}

/** @param {{values: {id: string, label: string}[], [attribute: string]: any}} props */
export function Select({ values, ...attributes }) {
  return html`
    <select ...${attributes}>${values.map(({ id, label }) => html`<option key=${id} value=${id}>${label}</option>`)}</select>
  `;
}
