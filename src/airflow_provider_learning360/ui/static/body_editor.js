/** The editor of a body: JSON, with the lines underlined on which something is wrong. */

import { html } from "./html.js";
import { useRef } from "./preact_hooks.js";
import { text } from "./texts.js";

/** @typedef {{line: number, text: string, lang?: string}} LineProblem */

/**
 * @param {object} props
 * @param {import("./api.js").OperationDetail} props.detail
 * @param {ReturnType<typeof import("./operation_arguments.js").useArguments>} props.form
 */
export function BodyEditor({ detail, form }) {
  const { source, body, problems, setSource } = form;
  const wrong = [...syntaxProblem(body), ...placedProblems(problems, body.lines)];
  const shadow = useRef(null);
  const lines = source.split("\n");
  const scroll = (event) => shadow.current.scrollTo(event.currentTarget.scrollLeft, event.currentTarget.scrollTop);
  return html`
    <div class="form-field">
      <label for="body">${text("body.label")} <code>${detail.body.type}</code></label>
      <div class="editor">
        <pre ref=${shadow} class="editor-lines" aria-hidden="true">
          ${lines.map((line, at) => html`<${Line} text=${line} isWrong=${wrong.some((one) => one.line === at + 1)} />`)}
        </pre>
        <textarea
          id="body"
          rows=${Math.max(6, Math.min(lines.length + 1, 24))}
          wrap="off"
          spellcheck="false"
          autocapitalize="off"
          aria-invalid=${wrong.length > 0 ? "true" : null}
          aria-describedby="body-help body-problems"
          value=${source}
          onInput=${(event) => setSource(event.currentTarget.value)}
          onScroll=${scroll}
        ></textarea>
      </div>
      <p id="body-help" class="help">${text("body.help")}</p>
      <div id="body-problems" role="status">
        ${wrong.length > 0 && html`
          <ul class="problems">
            ${wrong.map((one) => html`
              <li class="problem">${text("body.line", { line: one.line })}${" "}<span lang=${one.lang}>${one.text}</span></li>
            `)}
          </ul>
        `}
      </div>
    </div>
  `;
}

/** @param {{text: string, isWrong: boolean}} props */
function Line({ text: line, isWrong }) {
  return html`<span class=${isWrong ? "wrong" : null}>${line}</span>${"\n"}`;
}

/** @param {import("./json_source.js").JsonSource} body @returns {LineProblem[]} */
function syntaxProblem({ problem }) {
  return problem ? [{ line: problem.line, text: text(`syntax.${problem.code}`) }] : [];
}

/**
 * @param {import("./api.js").Problem[]} problems of the server @param {Map<string, number>} lines
 * @returns {LineProblem[]}
 */
function placedProblems(problems, lines) {
  return problems
    .filter(({ place }) => place === "body" || place.startsWith("body."))
    .map((problem) => ({ line: lineOf(problem.place.replace(/^body\.?/, ""), lines), text: problem.text, lang: "en" }));
}

/** The line of a part of the body, or of the nearest part around it. @param {string} path @param {Map<string, number>} lines */
function lineOf(path, lines) {
  const parts = path === "" ? [] : path.split(".");
  for (; parts.length > 0; parts.pop()) {
    const line = lines.get(parts.join("."));
    if (line) return line;
  }
  return 1;
}
