/** A choice that is kept as long as the tab of the browser is open. */

import { useState } from "./preact_hooks.js";

/** @param {string} key @returns {[string, (value: string) => void]} the choice, empty at first, and how to change it */
export function useStoredChoice(key) {
  const [choice, setChoice] = useState(() => read(key));
  return [
    choice,
    (value) => {
      setChoice(value);
      store(key, value);
    },
  ];
}

/** @param {string} key */
function read(key) {
  try {
    return sessionStorage.getItem(key) ?? "";
  } catch {
    // Storage may be switched off; then the choice lasts as long as the page.
    return "";
  }
}

/** @param {string} key @param {string} value */
function store(key, value) {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // As above.
  }
}
