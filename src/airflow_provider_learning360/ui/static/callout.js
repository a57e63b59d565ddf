/** Messages: what happened, what to do, and the technical details. */

import { address, loginAddress } from "./airflow.js";
import { element } from "./element.js";
import { text } from "./texts.js";

/** Failures of these actions are the reader's to solve, or need no alarm. */
const MILD_ACTIONS = ["ask", "log_in"];

/**
 * @param {"success" | "error" | "warning" | "info"} kind
 * @param {string} title
 * @param {...any} parts below the title
 */
export function callout(kind, title, ...parts) {
  return element("div", { class: "callout", "data-kind": kind }, element("p", { class: "callout-title" }, title), ...parts);
}

/**
 * @param {import("./api.js").Failure} failure
 * @param {{retry: () => void, chooseSession?: () => void}} handlers for the buttons
 * @param {any} [request] the request that failed, and its status
 */
export function failureCallout({ code, action, values, detail }, handlers, request) {
  return callout(
    MILD_ACTIONS.includes(action) ? "warning" : "error",
    text(`failure.${code}`, values),
    element("p", { class: "callout-text" }, element("strong", {}, text("failure.what_to_do")), ` ${text(`advice.${code}`, values)}`),
    buttons(action, handlers),
    request && element("p", { class: "callout-detail" }, request),
    detail && element("p", { class: "callout-detail", lang: "en" }, detail),
  );
}

/** @param {() => void} act @param {string} label */
export function actionButton(act, label) {
  return element("button", { type: "button", class: "button", onclick: act }, label);
}

/** @param {string} action @param {{retry: () => void, chooseSession?: () => void}} handlers */
function buttons(action, { retry, chooseSession }) {
  const made = {
    choose_session: () => chooseSession && actionButton(chooseSession, text("action.choose_session")),
    fix_connection: () => element("a", { href: address("connections") }, text("action.fix_connection")),
    log_in: () => element("a", { href: loginAddress() }, text("action.log_in")),
    reload: () => actionButton(() => location.reload(), text("action.reload")),
    retry: () => actionButton(retry, text("action.retry")),
  }[action]?.();
  return made && element("p", { class: "callout-actions" }, made);
}
