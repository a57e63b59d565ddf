/** Syntax highlighting: each token is an element with a class. */

import { element, fill } from "./element.js";

/** Longer sources are not highlighted, because each token is an element. */
const MAX_CHARACTERS = 200_000;

const QUOTED = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/;
const PYTHON_KEYWORDS =
  "and|as|assert|async|await|class|def|del|elif|else|except|False|finally|for|from|if|import|in|is|lambda|None|not|" +
  "or|pass|raise|return|True|try|while|with|yield";

/** The tokens of each language; where two match, the first one wins. */
const GRAMMARS = {
  python: grammar({
    comment: /#.*/,
    string: RegExp(`[rfb]{0,2}(?:"""[^]*?"""|'''[^]*?'''|${QUOTED.source})`),
    name: /@\w[\w.]*/,
    word: RegExp(`\\b(?:${PYTHON_KEYWORDS})\\b`),
  }),
  yaml: grammar({
    comment: /(?<=^|\s)#.*/,
    name: /(?<=^\s*(?:- )*)[\w.$-]+(?=:(?:\s|$))/,
    string: QUOTED,
    word: /\b(?:true|false|null)\b/,
  }),
  json: grammar({ name: /"(?:\\.|[^"\\])*"(?=:)/, string: QUOTED, word: /\b(?:true|false|null)\b/ }),
};

/**
 * @param {Element} place
 * @param {string} text
 * @param {"python" | "yaml" | "json"} language
 */
export function showCode(place, text, language) {
  fill(place, ...(text.length > MAX_CHARACTERS ? [text] : tokens(text, GRAMMARS[language])));
}

/** @param {Record<string, RegExp>} kinds */
function grammar(kinds) {
  const parts = Object.entries(kinds).map(([kind, { source }]) => `(?<${kind}>${source})`);
  return RegExp(parts.join("|"), "gm");
}

/** @param {string} text @param {RegExp} expression */
function* tokens(text, expression) {
  let end = 0;
  for (const match of text.matchAll(expression)) {
    yield text.slice(end, match.index);
    const [kind] = Object.entries(match.groups).find(([, found]) => found !== undefined);
    yield element("span", { class: `code-${kind}` }, match[0]);
    end = match.index + match[0].length;
  }
  yield text.slice(end);
}
