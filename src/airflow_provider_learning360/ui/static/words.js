/** Numbers, sizes and dates as the reader writes them. */

import { element } from "./element.js";

const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** The reader's time zone, such as Europe/Paris. */
export const timeZone = dates.resolvedOptions().timeZone;

/** @param {number} value */
export const number = (value) => value.toLocaleString();

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** @param {number} value bytes */
export function size(value) {
  if (value < 1000) return counted(value, "byte");
  const [amount, unit] = value < 1e6 ? [value / 1e3, "kB"] : [value / 1e6, "MB"];
  return `${amount.toLocaleString(undefined, { maximumFractionDigits: 1 })} ${unit}`;
}

/**
 * A date in the reader's words, with what the API wrote behind it.
 * @param {string | null} iso
 * @param {string} [none] shown where there is no date
 */
export function date(iso, none = "–") {
  const read = iso === null ? NaN : Date.parse(iso);
  if (Number.isNaN(read)) return element("span", { class: "quiet" }, iso ?? none);
  return element("time", { datetime: iso, title: iso }, dates.format(read));
}
