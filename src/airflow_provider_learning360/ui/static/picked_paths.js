/** The picked fields of an answer, and the option `fields` that they make. */

import { useState } from "./preact_hooks.js";

/** @returns {{picked: string[], pick: (path: string) => void, isLimited: boolean, limit: (on: boolean) => void,
 *   fields: string[]}} fields: what the step pushes; empty: all */
export function usePickedPaths() {
  const [picked, setPicked] = useState(/** @type {string[]} */ ([]));
  const [isLimited, limit] = useState(false);
  const pick = (path) =>
    setPicked((before) => (before.includes(path) ? before.filter((one) => one !== path) : [...before, path]));
  const fields = isLimited ? [...new Set(picked.map(fieldOf).filter(Boolean))] : [];
  return { picked, pick, isLimited, limit, fields };
}

/** The field of the object, or of each item of the list, in which a path is. @param {string} path */
function fieldOf(path) {
  return path.replace(/^\[\d+\]\.?/, "").split(/[.[]/)[0];
}
