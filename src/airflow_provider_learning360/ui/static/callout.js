/** What happened and what to do, set apart from the rest. */

import { loginAddress } from "./airflow.js";
import { element } from "./element.js";

/**
 * @param {"success" | "error" | "warning" | "info"} kind
 * @param {any} title @param {any} [text] @param {...any} actions buttons and links
 */
export function callout(kind, title, text, ...actions) {
  const shown = actions.filter(Boolean);
  return element(
    "div",
    { class: "callout", "data-kind": kind },
    element("p", { class: "callout-title" }, title),
    text && element("p", { class: "callout-text" }, text),
    shown.length > 0 && element("p", { class: "callout-actions" }, ...shown),
  );
}

/**
 * @param {import("./api.js").Problem} problem
 * @param {() => void} retry
 */
export function problemCallout(problem, retry) {
  if (problem.loggedOut) {
    const link = element("a", { href: loginAddress() }, "Log in again");
    return callout("warning", "Your Airflow login has ended.", null, link);
  }
  if (problem.status === 403) return callout("warning", problem.message);
  return callout("error", problem.message, null, actionButton(retry, "Retry"));
}

/** @param {() => void} act @param {string} text */
export function actionButton(act, text) {
  return element("button", { type: "button", class: "button", onclick: act }, text);
}
