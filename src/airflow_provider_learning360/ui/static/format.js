/** Numbers, sizes and dates as the reader writes them. */

import { html } from "./html.js";
import { locale, plural, text } from "./texts.js";

const dates = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

/** The reader's time zone, such as Europe/Paris. */
export const timeZone = dates.resolvedOptions().timeZone;

/** @param {number} value */
export const number = (value) => value.toLocaleString(locale);

/** @param {number} value bytes */
export function size(value) {
  if (value < 1000) return plural("bytes", value);
  const [amount, unit] = value < 1e6 ? [value / 1e3, "kilo"] : [value / 1e6, "mega"];
  return text(`bytes.${unit}`, { amount: amount.toLocaleString(locale, { maximumFractionDigits: 1 }) });
}

/**
 * A date in the reader's format; the tooltip shows what the API sent.
 * @param {string | null} iso
 * @param {string} [none] shown where there is no date
 */
export function date(iso, none = "–") {
  const parsed = iso === null ? NaN : Date.parse(iso);
  if (Number.isNaN(parsed)) return html`<span class="quiet">${iso ?? none}</span>`;
  return html`<time datetime=${iso} title=${iso}>${dates.format(parsed)}</time>`;
}
