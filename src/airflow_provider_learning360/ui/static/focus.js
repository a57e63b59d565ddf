/** Move the focus to an element that the next change of the page may only bring. */

import { useLayoutEffect, useState } from "./preact_hooks.js";

/** Frames of the screen for which an element is waited for, as its script may have to be loaded. */
const MAX_FRAMES = 120;

/** @returns {(...ids: string[]) => void} moves the focus to the first of these elements that the page then shows */
export function useFocus() {
  const [wanted, setWanted] = useState(/** @type {string[]} */ ([]));
  useLayoutEffect(() => {
    let frame = 0;
    const before = document.activeElement;
    function tryAgain(left) {
      const place = wanted.map((id) => document.getElementById(id)).find(Boolean);
      if (place) focus(place);
      // The reader may have gone elsewhere meanwhile.
      else if (left > 0 && [before, document.body].includes(document.activeElement)) {
        frame = requestAnimationFrame(() => tryAgain(left - 1));
      }
    }
    if (wanted.length > 0) tryAgain(MAX_FRAMES);
    return () => cancelAnimationFrame(frame);
  }, [wanted]);
  return (...ids) => setWanted(ids);
}

/** @param {HTMLElement} place */
function focus(place) {
  place.focus();
  if (place instanceof HTMLInputElement) place.select();
}
