/** The texts of the page, in the language of the reader: English or French. */

import { airflow } from "./airflow.js";

const LANGUAGES = ["en", "fr"];

/** Language and region of texts, numbers and dates, such as "fr-CA". */
export const locale = chooseLocale();
/** Language of the texts, such as "fr". */
export const language = languageOf(locale);
// Only the one that is needed: a dictionary is the largest file of the page.
const { default: dictionary } = await import(`./texts.${language}.js`);
const plurals = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);

/**
 * A text with values in its placeholders.
 * @param {string} key of the dictionary
 * @param {Record<string, string | number>} [values] by the names of the placeholders; numbers are formatted
 */
export function text(key, values = {}) {
  if (!(key in dictionary)) throw new Error(key);
  return dictionary[key].replace(/\{(\w+)\}/g, (_, name) => formatted(values[name]));
}

/**
 * A text with the plural form for a number.
 * @param {string} key of the dictionary, without the form
 * @param {number} count
 * @param {Record<string, string | number>} [values] further values
 */
export function plural(key, count, values = {}) {
  const form = `${key}.${plurals.select(count)}`;
  return text(form in dictionary ? form : `${key}.other`, { count, ...values });
}

/**
 * A text, or what the server sent where the dictionary has none.
 * @param {string} key @param {string} sent
 */
export function textOr(key, sent) {
  return key in dictionary ? text(key) : sent;
}

/** @param {string | number} value */
function formatted(value) {
  return typeof value === "number" ? numbers.format(value) : value;
}

/** The language that the reader chose in Airflow, else the first language of the browser that the page has. */
function chooseLocale() {
  const wanted = [chosenInAirflow(), ...navigator.languages];
  const language = languageOf(wanted.find(isOffered) ?? "en");
  // The browser knows the region: "fr-CA" writes dates differently from "fr".
  return navigator.languages.find((tag) => languageOf(tag) === language) ?? language;
}

/** @param {string | null | undefined} tag */
function isOffered(tag) {
  return Boolean(tag) && LANGUAGES.includes(languageOf(tag));
}

/** @param {string} tag such as "fr-CA" */
function languageOf(tag) {
  return tag.split("-")[0].toLowerCase();
}

/** What i18next, which Airflow uses, stores. */
function chosenInAirflow() {
  try {
    return (airflow ?? window).localStorage.getItem("i18nextLng");
  } catch {
    // Storage may be switched off.
    return null;
  }
}
