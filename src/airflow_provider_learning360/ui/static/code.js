/** Source with syntax highlighting: each token is an element with a class. */

import { html } from "./html.js";
import { useLayoutEffect, useMemo, useRef } from "./preact_hooks.js";

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

/** @param {{source: string, language: "python" | "yaml" | "json", label: string, id?: string}} props */
export function Code({ source, language, label, id }) {
  const place = useRef(null);
  const content = useMemo(() => highlight(source, language), [source, language]);
  useLayoutEffect(() => place.current.scrollTo(0, 0), [source]);
  return html`<pre id=${id} ref=${place} class="code" tabindex="0" role="region" aria-label=${label}>${content}</pre>`;
}

/** @param {string} source @param {"python" | "yaml" | "json"} language */
function highlight(source, language) {
  return source.length > MAX_CHARACTERS ? source : [...tokens(source, GRAMMARS[language])];
}

/** @param {Record<string, RegExp>} kinds */
function grammar(kinds) {
  const parts = Object.entries(kinds).map(([kind, { source }]) => `(?<${kind}>${source})`);
  return RegExp(parts.join("|"), "gm");
}

/** @param {string} source @param {RegExp} expression */
function* tokens(source, expression) {
  let end = 0;
  for (const match of source.matchAll(expression)) {
    yield source.slice(end, match.index);
    const [kind] = Object.entries(match.groups).find(([, found]) => found !== undefined);
    yield html`<span class=${`code-${kind}`}>${match[0]}</span>`;
    end = match.index + match[0].length;
  }
  yield source.slice(end);
}
