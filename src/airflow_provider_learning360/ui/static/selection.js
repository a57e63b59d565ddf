/**
 * What is selected, in the address: a reload and a shared link show it again.
 *
 * @typedef {{connection: string, operation: string, session: string}} Selection IDs and the name of an operation; empty
 *   if none is selected
 */

import { airflow } from "./airflow.js";

const NAMES = ["connection", "operation", "session"];

/** @returns {Selection} */
export function readSelection() {
  // Not every version of Airflow passes its own hash on to the frame.
  const hash = location.hash || airflow?.location.hash || "";
  const values = new URLSearchParams(hash.slice(1));
  const [connection, operation, session] = NAMES.map((name) => values.get(name) ?? "");
  return { connection, operation: session ? "" : operation, session };
}

/** @param {Selection} selection */
export function writeSelection(selection) {
  const selected = Object.entries(selection).filter(([, value]) => value);
  const hash = selected.length ? `#${new URLSearchParams(selected)}` : "";
  for (const view of [window, airflow]) if (view) replaceHash(view, hash);
}

/** @param {Selection} one @param {Selection} other */
export function isSameSelection(one, other) {
  return NAMES.every((name) => one[name] === other[name]);
}

/** @param {() => void} onChange called when the reader changed the address @returns {() => void} ends this */
export function watchSelection(onChange) {
  window.addEventListener("hashchange", onChange);
  return () => window.removeEventListener("hashchange", onChange);
}

/** @param {Window} view @param {string} hash */
function replaceHash(view, hash) {
  const { pathname, search } = view.location;
  // In full: Airflow has a <base>, to which a bare hash would be relative. The state of its router is kept.
  view.history.replaceState(view.history.state, "", `${pathname}${search}${hash}`);
}
