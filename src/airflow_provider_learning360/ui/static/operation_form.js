/** The form of an operation: prepared from its schema. */

import { BodyEditor } from "./body_editor.js";
import { html } from "./html.js";
import { OptionsForm } from "./options_form.js";
import { ParameterField } from "./parameter_field.js";
import { SessionFinder } from "./session_finder.js";
import { plural, text } from "./texts.js";

/** More parameters than this are folded. */
const MAX_OPEN = 4;

/**
 * @param {object} props
 * @param {string} props.connection ID
 * @param {import("./api.js").OperationDetail} props.detail
 * @param {ReturnType<typeof import("./operation_arguments.js").useArguments>} props.form
 */
export function OperationForm({ connection, detail, form }) {
  const required = detail.parameters.filter((one) => one.required);
  const others = detail.parameters.filter((one) => !one.required);
  const session = required.find(takesSession);
  const filter = session ? undefined : others.find(takesSession);
  const finder = (parameter) => html`
    <${SessionFinder} connection=${connection} detail=${detail} parameter=${parameter} form=${form} />
  `;
  const field = (parameter) => html`
    <${ParameterField}
      key=${parameter.key}
      parameter=${parameter}
      value=${form.values[parameter.key] ?? ""}
      example=${detail.example.parameters[parameter.key]}
      problem=${problemOf(form.problems, parameter.key)}
      onChange=${(value) => form.setValues({ [parameter.key]: value })}
    />
  `;
  return html`
    <form id="operation-form" class="form" onSubmit=${(event) => event.preventDefault()}>
      ${required.length === 0 && !detail.body && html`
        <p class="quiet">${text(others.length > 0 ? "form.ready" : "form.nothing")}</p>
      `}
      ${required.length > 0 && html`
        <fieldset><legend>${text("form.required")}</legend>${required.map(field)}</fieldset>
      `}
      ${session && finder(session)}
      ${others.length > 0 && html`
        <details open=${others.length <= MAX_OPEN || others.some(({ key }) => problemOf(form.problems, key))}>
          <summary>${plural("form.others", others.length)}</summary>
          <div class="form-fields">${others.map(field)}${filter && finder(filter)}</div>
        </details>
      `}
      ${detail.body && html`<${BodyEditor} detail=${detail} form=${form} />`}
      ${required.length > 0 && html`
        <p>
          <button id="fill-example" type="button" class="button" data-variant="quiet" onClick=${form.fillIn}>
            ${text("form.fill_in")}
          </button>
        </p>
      `}
      <${OptionsForm} names=${detail.options} options=${form.options} onChange=${form.setOption} />
    </form>
  `;
}

/** Whether one session found is its value. @param {import("./api.js").Parameter} parameter */
function takesSession({ finds, operator }) {
  return finds === "session" && [null, "eq"].includes(operator);
}

/** @param {import("./api.js").Problem[]} problems @param {string} key */
function problemOf(problems, key) {
  const place = `parameters.${key}`;
  return problems.find((one) => one.place === place || one.place.startsWith(`${place}.`))?.text ?? "";
}
