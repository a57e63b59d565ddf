/**
 * Find operations by words of people, by the rules of `api/catalogue/search.py`: with typing errors, the usual ones first.
 *
 * @typedef {import("./api.js").Operation} Operation
 * @typedef {{operation: Operation, name: string, places: [Set<string>, number][]}} Indexed
 * @typedef {{entries: Indexed[], vocabulary: Set<string>, topics: string[]}} Index
 */

// What a word of an operation counts for, by where it stands.
const WEIGHTS = { name: 4, topic: 2, text: 1, path: 1 };
// How well it fits a word of the query, in tenths: whole numbers add up to the same in every language.
const EQUAL = 10;
const BEGINS = 9;
const INSIDE = 6;
const MISTYPED = 5;
const USUAL = 10;
// Letters of a word of the query from which on one typing error is forgiven, and two.
const ONE_ERROR = 4;
const TWO_ERRORS = 8;
const SHORTEST_PLURAL = 4;

/** @param {Operation[]} operations in the order of the catalogue @param {string[]} topics @returns {Index} */
export function buildIndex(operations, topics) {
  const entries = operations.map((operation) => ({
    operation,
    name: splitWords(operation.name).join(" "),
    places: Object.entries(WEIGHTS).map(([key, weight]) => [new Set(splitWords(operation[key])), weight]),
  }));
  return { entries, vocabulary: new Set(entries.flatMap(({ places }) => places.flatMap(([words]) => [...words]))), topics };
}

/**
 * The operations that have all words of a query, the best first. Without words: the usual ones, then the others by topic.
 * @param {Index} index @param {string} query
 * @returns {Operation[]}
 */
export function searchOperations({ entries, vocabulary, topics }, query) {
  const words = splitWords(query);
  if (words.length === 0) return browse(entries, topics);
  const fits = words.map((word) => findFits(word, vocabulary));
  const name = words.join(" ");
  return entries
    .map((entry) => ({ operation: entry.operation, isNamed: entry.name === name, score: scoreOf(entry, fits) }))
    .filter(({ score }) => score > 0)
    .sort((one, other) => Number(other.isNamed) - Number(one.isNamed) || other.score - one.score)
    .map(({ operation }) => operation);
}

/**
 * The words of a text in lower case, without accents and without the `s` of a plural; `pathId` is two words.
 * @param {string} text @returns {string[]}
 */
export function splitWords(text) {
  const spaced = text.replace(/([a-z0-9])([A-Z])/g, "$1 $2");
  const plain = spaced.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const words = plain.match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.map((word) => (word.length >= SHORTEST_PLURAL ? word.replace(/s$/, "") : word));
}

/** @param {Indexed[]} entries @param {string[]} topics */
function browse(entries, topics) {
  const place = ({ usual, topic }) => (usual ? -1 : topics.indexOf(topic));
  return entries.map(({ operation }) => operation).sort((one, other) => place(one) - place(other));
}

/** @param {Indexed} entry @param {Map<string, number>[]} fits */
function scoreOf({ operation, places }, fits) {
  const scores = fits.map((fit) => places.reduce((sum, [words, weight]) => sum + weight * best(words, fit), 0));
  if (scores.includes(0)) return 0;
  return scores.reduce((sum, score) => sum + score, operation.usual ? USUAL : 0);
}

/** @param {Set<string>} words @param {Map<string, number>} fit */
function best(words, fit) {
  let found = 0;
  for (const word of words) found = Math.max(found, fit.get(word) ?? 0);
  return found;
}

/** @param {string} wanted @param {Set<string>} vocabulary @returns {Map<string, number>} how well each word fits */
function findFits(wanted, vocabulary) {
  return new Map([...vocabulary].map((word) => [word, fitOf(wanted, word)]).filter(([, fit]) => fit > 0));
}

/** @param {string} wanted @param {string} word */
function fitOf(wanted, word) {
  if (word === wanted) return EQUAL;
  if (word.startsWith(wanted)) return BEGINS;
  if (word.includes(wanted)) return INSIDE;
  const errors = wanted.length >= TWO_ERRORS ? 2 : wanted.length >= ONE_ERROR ? 1 : 0;
  const isClose = errors > 0 && Math.abs(wanted.length - word.length) <= errors;
  return isClose && countErrors(wanted, word) <= errors ? MISTYPED : 0;
}

/** How many letters have to be added, removed, replaced or swapped. @param {string} one @param {string} other */
function countErrors(one, other) {
  let last = [];
  let before = [];
  let row = Array.from({ length: other.length + 1 }, (_, j) => j);
  for (let i = 1; i <= one.length; i++) {
    [last, before, row] = [before, row, [i]];
    for (let j = 1; j <= other.length; j++) {
      row[j] = Math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + Number(one[i - 1] !== other[j - 1]));
      const isSwapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (isSwapped) row[j] = Math.min(row[j], last[j - 2] + 1);
    }
  }
  return row[other.length];
}
