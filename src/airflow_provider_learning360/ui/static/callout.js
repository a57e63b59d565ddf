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
 * @param {Record<string, () => void>} [props.actions] what the reader can do here, by action of the failure
 * @param {any} [props.request] the request that failed, and its status
 */
export function FailureCallout({ failure, request, onRetry, actions = {} }) {
  const { code, action, values, detail } = failure;
  return html`
    <${Callout} kind=${MILD_ACTIONS.includes(action) ? "warning" : "error"} title=${text(`failure.${code}`, values)}>
      <p class="callout-text">
        <strong>${text("failure.what_to_do")}</strong>${" "}${text(`advice.${code}`, values)}
      </p>
      <${Action} action=${action} actions=${{ retry: onRetry, reload: () => location.reload(), ...actions }} />
      ${request && html`<p class="callout-detail">${request}</p>`}
      ${detail && html`<p class="callout-detail" lang="en">${detail}</p>`}
    <//>
  `;
}

/** @param {{onClick: () => void, children: any, [attribute: string]: any}} props */
export function ActionButton({ children, ...attributes }) {
  return html`<button type="button" class="button" ...${attributes}>${children}</button>`;
}

/** @param {{action: string, actions: Record<string, () => void>}} props */
function Action({ action, actions }) {
  const links = { fix_connection: () => address("connections"), log_in: loginAddress };
  if (!links[action] && !actions[action]) return null;
  const label = text(`action.${action}`);
  const control = links[action]
    ? html`<a href=${links[action]()}>${label}</a>`
    : html`<${ActionButton} onClick=${actions[action]}>${label}<//>`;
  return html`<p class="callout-actions">${control}</p>`;
}
