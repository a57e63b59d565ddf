/**
 * What the reader filled in for an operation: parameters, body and options.
 *
 * @typedef {import("./api.js").OperationDetail} OperationDetail
 * @typedef {import("./api.js").Problem} Problem
 */

import { fromParameters, missingOf, toParameters } from "./argument_values.js";
import { readJson } from "./json_source.js";
import { useMemo, useState } from "./preact_hooks.js";

/**
 * @param {OperationDetail | null} detail
 */
export function useArguments(detail) {
  // The form is prepared when the documentation of another operation is there.
  const prepared = useMemo(() => prepare(detail), [detail]);
  const [edited, setEdited] = useState(prepared);
  const [problems, setProblems] = useState(/** @type {Problem[]} */ ([]));
  const { values, source, options } = edited.detail === detail ? edited : prepared;
  const body = useMemo(() => readJson(source), [source]);
  const edit = (part) => setEdited((before) => ({ ...(before.detail === detail ? before : prepared), ...part }));

  function change(part) {
    edit(part);
    setProblems([]);
  }

  return {
    values,
    source,
    options,
    body,
    problems,
    setProblems,
    missing: detail ? missingOf(detail.parameters, values) : [],
    parameters: detail ? toParameters(detail.parameters, values) : {},
    setValues: (more) => change({ values: { ...values, ...more } }),
    setSource: (next) => change({ source: next }),
    setOption: (name, value) => edit({ options: withOption(options, name, value) }),
    fillIn: () => change({ values: { ...values, ...fromParameters(detail.parameters, detail.example.parameters) } }),
  };
}

/** @param {OperationDetail | null} detail */
function prepare(detail) {
  return { detail, values: {}, source: detail ? exampleBody(detail) : "", options: {} };
}

/** @param {Record<string, any>} options @param {string} name @param {any} value undefined: the option is not set */
export function withOption(options, name, value) {
  const { [name]: _, ...others } = options;
  return value === undefined ? others : { ...others, [name]: value };
}

/** @param {OperationDetail} detail */
function exampleBody({ body, example }) {
  return body && example.body !== null ? JSON.stringify(example.body, null, 2) : "";
}
