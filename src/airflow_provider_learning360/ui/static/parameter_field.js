/** The field of one parameter: its name, what may be in it, what it means, and what is wrong with it. */

import { linesOf } from "./argument_values.js";
import { timeZone } from "./format.js";
import { html } from "./html.js";
import { Prose } from "./prose.js";
import { text } from "./texts.js";

/** Kinds of `<input>`; other types are plain texts. */
const INPUT_TYPES = { "date-time": "datetime-local", date: "date", number: "number" };

/**
 * @param {object} props
 * @param {import("./api.js").Parameter} props.parameter
 * @param {string} props.value
 * @param {any} props.example of a value
 * @param {string} props.problem empty if there is none
 * @param {(value: string) => void} props.onChange
 */
export function ParameterField({ parameter, value, example, problem, onChange }) {
  const { key, name, operator, required, text: meaning } = parameter;
  const id = `parameter-${key}`;
  const attributes = {
    id,
    value,
    required,
    "aria-invalid": problem ? "true" : null,
    "aria-describedby": problem ? `${id}-help ${id}-problem` : `${id}-help`,
    onInput: (event) => onChange(event.currentTarget.value),
  };
  return html`
    <div class="form-field">
      <label for=${id}>
        <code>${name}</code>
        ${operator && html`<span>${text(`operator.${operator}`)}</span>`}
        ${required && html`<span class="required">${text("form.mark")}</span>`}
      </label>
      <${Control} parameter=${parameter} example=${example} attributes=${attributes} onChange=${onChange} />
      <p id=${`${id}-help`} class="help">
        ${typeOf(parameter)}
        ${meaning && html`${" "}<${Prose} text=${meaning} />`}
      </p>
      ${problem && html`<p id=${`${id}-problem`} class="problem"><${Prose} text=${problem} /></p>`}
    </div>
  `;
}

function Control({ parameter, example, attributes, onChange }) {
  const { type, choices, required } = parameter;
  if (type === "list" && choices) {
    return html`<${Choices} parameter=${parameter} attributes=${attributes} onChange=${onChange} />`;
  }
  if (type === "list") return html`<textarea rows="3" spellcheck="false" ...${attributes}></textarea>`;
  const values = type === "boolean" ? ["true", "false"] : choices;
  if (values) {
    return html`
      <select ...${attributes}>
        <option value="">${text(required ? "form.choose" : "form.any")}</option>
        ${values.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
      </select>
    `;
  }
  const placeholder = type === "id" || type === "text" ? String(example ?? "") : null;
  const step = type === "number" ? "any" : null;
  return html`
    <input
      type=${INPUT_TYPES[type] ?? "text"}
      step=${step}
      placeholder=${placeholder}
      autocomplete="off"
      spellcheck="false"
      ...${attributes}
    />
  `;
}

/** A list of allowed values: each can be ticked. */
function Choices({ parameter, attributes, onChange }) {
  const chosen = linesOf(attributes.value);
  const without = (one) => chosen.filter((other) => other !== one);
  const toggle = (one) => onChange((chosen.includes(one) ? without(one) : [...chosen, one]).join("\n"));
  return html`
    <div
      id=${attributes.id}
      class="choices"
      role="group"
      aria-label=${parameter.key}
      aria-describedby=${attributes["aria-describedby"]}
    >
      ${parameter.choices.map((one) => html`
        <label key=${one} class="tick">
          <input type="checkbox" checked=${chosen.includes(one)} onChange=${() => toggle(one)} /> ${one}
        </label>
      `)}
    </div>
  `;
}

/** @param {import("./api.js").Parameter} parameter */
function typeOf({ type, items, choices }) {
  if (type === "date-time") return text("input.date-time", { zone: timeZone });
  if (type === "list") return text(choices ? "input.choices" : items === "id" ? "input.ids" : "input.list");
  return text(`input.${type}`);
}
