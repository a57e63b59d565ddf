/**
 * Where the reader is, in the address: a reload and a shared link come back to it.
 *
 * @typedef {{connection: string, session: string}} Place an empty text: none chosen
 */

import { airflow } from "./airflow.js";

/** @returns {Place} */
export function readPlace() {
  // Not every Airflow hands its own hash on to the frame.
  const hash = location.hash || airflow?.location.hash || "";
  const values = new URLSearchParams(hash.slice(1));
  return { connection: values.get("connection") ?? "", session: values.get("session") ?? "" };
}

/** @param {Place} place */
export function writePlace(place) {
  const chosen = Object.entries(place).filter(([, value]) => value);
  const hash = chosen.length ? `#${new URLSearchParams(chosen)}` : "";
  for (const shown of [window, airflow]) if (shown) replaceHash(shown, hash);
}

/** @param {() => void} onMove called when the reader changed the address */
export function followPlace(onMove) {
  window.addEventListener("hashchange", onMove);
}

/** @param {Window} shown @param {string} hash */
function replaceHash(shown, hash) {
  const { pathname, search } = shown.location;
  // In full: Airflow has a <base>, to which a bare hash would be relative. Its router's own state is kept.
  shown.history.replaceState(shown.history.state, "", `${pathname}${search}${hash}`);
}
