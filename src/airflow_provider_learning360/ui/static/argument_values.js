/**
 * From what the reader typed to the arguments of a call.
 *
 * @typedef {import("./api.js").Parameter} Parameter
 * @typedef {Record<string, string>} Values what the fields of the form hold, by key of the parameter
 */

/** @param {Parameter[]} parameters @param {Values} values @returns {Record<string, any>} without those left empty */
export function toParameters(parameters, values) {
  const filled = parameters.filter(({ key }) => (values[key] ?? "").trim() !== "");
  return Object.fromEntries(filled.map((parameter) => [parameter.key, toArgument(parameter, values[parameter.key])]));
}

/** @param {Parameter[]} parameters @param {Record<string, any>} given @returns {Values} */
export function fromParameters(parameters, given) {
  const known = parameters.filter(({ key }) => given[key] !== undefined);
  return Object.fromEntries(known.map(({ key, type }) => [key, fromArgument(type, given[key])]));
}

/** @param {Parameter[]} parameters @param {Values} values @returns {Parameter[]} required ones that are empty */
export function missingOf(parameters, values) {
  return parameters.filter(({ key, required }) => required && (values[key] ?? "").trim() === "");
}

/** @param {Parameter} parameter @param {string} value */
function toArgument({ type, items }, value) {
  if (type === "list") return linesOf(value).map((line) => toScalar(items ?? "text", line));
  return toScalar(type, value.trim());
}

/** @param {string} type @param {string} value */
function toScalar(type, value) {
  if (type === "number" && !Number.isNaN(Number(value))) return Number(value);
  if (type === "boolean" && ["true", "false"].includes(value)) return value === "true";
  // The field has the reader's local time, the API wants UTC.
  if (type === "date-time" && isLocal(value)) return new Date(value).toISOString();
  return value;
}

/** @param {string} type @param {any} value */
function fromArgument(type, value) {
  if (Array.isArray(value)) return value.join("\n");
  return type === "date-time" && !Number.isNaN(Date.parse(value)) ? toLocal(new Date(value)) : String(value);
}

/** @param {string} value */
function isLocal(value) {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(\.\d+)?$/.test(value);
}

/** @param {Date} date @returns {string} as a field of type datetime-local has it */
function toLocal(date) {
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}

/** @param {string} value @returns {string[]} */
export function linesOf(value) {
  return value.split(/[\n,]/).map((line) => line.trim()).filter(Boolean);
}
