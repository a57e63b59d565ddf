/** Move the focus to an element that the next change of the page may only bring. */

import { useLayoutEffect, useState } from "./preact_hooks.js";

/** @returns {(...ids: string[]) => void} moves the focus to the first of these elements that the page then shows */
export function useFocus() {
  const [wanted, setWanted] = useState(/** @type {string[]} */ ([]));
  useLayoutEffect(() => {
    const place = wanted.map((id) => document.getElementById(id)).find(Boolean);
    place?.focus();
    if (place instanceof HTMLInputElement) place.select();
  }, [wanted]);
  return (...ids) => setWanted(ids);
}
