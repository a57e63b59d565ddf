/** What the fields of a session mean, in the language of the reader; the server sends it in English. */

import { useEffect, useState } from "./preact_hooks.js";
import { language } from "./texts.js";

/** Languages whose meanings are in a script of their own: it is large, and needed for sessions only. */
const LANGUAGES = ["fr"];

/** @param {boolean} isWanted @returns {Record<string, string>} by path of the field; empty until they are loaded */
export function useMeanings(isWanted) {
  const [meanings, setMeanings] = useState({});
  useEffect(() => {
    if (isWanted && LANGUAGES.includes(language)) load().then(setMeanings);
  }, [isWanted]);
  return meanings;
}

async function load() {
  try {
    return (await import(`./meanings.${language}.js`)).default;
  } catch {
    // English is understood as well.
    return {};
  }
}
