/** Messages: what happened, what to do, and the technical details. */

import { address, loginAddress } from "./airflow.js";
import { html } from "./html.js";
import { text } from "./texts.js";

/** Failures of these actions are the reader's to solve, or need no alarm. */
const MILD_ACTIONS = ["ask", "log_in"];

/** @param {{kind: "success" | "error" | "warning" | "info", title: string, children?: any}} props */
export function Callout({ kind, title, children }) {
  return html`
    <div class="callout" data-kind=${kind}>
      <p class="callout-title">${title}</p>
      ${children}
    </div>
  `;
}

/**
 * @param {object} props
 * @param {import("./api.js").Failure} props.failure
 * @param {() => void} props.onRetry
 * @param {() => void} [props.onChooseSession]
 * @param {any} [props.request] the request that failed, and its status
 */
export function FailureCallout({ failure, request, ...handlers }) {
  const { code, action, values, detail } = failure;
  return html`
    <${Callout} kind=${MILD_ACTIONS.includes(action) ? "warning" : "error"} title=${text(`failure.${code}`, values)}>
      <p class="callout-text">
        <strong>${text("failure.what_to_do")}</strong>${" "}${text(`advice.${code}`, values)}
      </p>
      <${Action} action=${action} ...${handlers} />
      ${request && html`<p class="callout-detail">${request}</p>`}
      ${detail && html`<p class="callout-detail" lang="en">${detail}</p>`}
    <//>
  `;
}

/** @param {{onClick: () => void, children: any, [attribute: string]: any}} props */
export function ActionButton({ children, ...attributes }) {
  return html`<button type="button" class="button" ...${attributes}>${children}</button>`;
}

/** @param {{action: string, onRetry: () => void, onChooseSession?: () => void}} props */
function Action({ action, onRetry, onChooseSession }) {
  const control = {
    choose_session: () => onChooseSession && button(action, onChooseSession),
    fix_connection: () => html`<a href=${address("connections")}>${text("action.fix_connection")}</a>`,
    log_in: () => html`<a href=${loginAddress()}>${text("action.log_in")}</a>`,
    reload: () => button(action, () => location.reload()),
    retry: () => button(action, onRetry),
  }[action]?.();
  return control && html`<p class="callout-actions">${control}</p>`;
}

/** @param {string} action @param {() => void} act */
function button(action, act) {
  return html`<${ActionButton} onClick=${act}>${text(`action.${action}`)}<//>`;
}
