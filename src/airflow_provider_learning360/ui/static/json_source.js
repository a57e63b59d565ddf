/**
 * Read JSON that somebody is typing: its value, and on which line each part of it is.
 *
 * @typedef {"character" | "end" | "value" | "name" | "colon" | "comma" | "duplicate"} SyntaxProblem
 * @typedef {{value: any, lines: Map<string, number>, problem: {line: number, code: SyntaxProblem} | null}} JsonSource
 */

const STRING = /"(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|[^"\\\u0000-\u001f])*"/;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/;
const SCALAR = RegExp(`${STRING.source}|${NUMBER.source}|true|false|null`, "y");
const SPACE = /[ \t\r\n]*/y;

class JsonSyntaxError extends Error {
  /** @param {SyntaxProblem} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/**
 * @param {string} source
 * @returns {JsonSource} lines: by path, such as `audience.groups.0`; the first line is 1. An empty source has no value.
 */
export function readJson(source) {
  const reader = new Reader(source);
  const lines = reader.lines;
  if (source.trim() === "") return { value: null, lines, problem: null };
  try {
    return { value: reader.readAll(), lines, problem: null };
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return { value: undefined, lines, problem: { line: reader.line, code: error.code } };
  }
}

class Reader {
  #source;
  #at = 0;
  #line = 1;
  /** @type {Map<string, number>} */
  lines = new Map();

  /** @param {string} source */
  constructor(source) {
    this.#source = source;
  }

  readAll() {
    const value = this.#value("");
    this.#skipSpace();
    if (this.#at < this.#source.length) throw new JsonSyntaxError("character");
    return value;
  }

  get line() {
    return this.#line;
  }

  /** @param {string} path */
  #value(path) {
    this.#skipSpace();
    if (!this.lines.has(path)) this.lines.set(path, this.#line);
    if (this.#take("{")) return this.#object(path);
    if (this.#take("[")) return this.#array(path);
    return this.#scalar("value");
  }

  #object(path) {
    const found = {};
    if (this.#isNext("}")) return found;
    do {
      this.#skipSpace();
      if (this.#source[this.#at] !== '"') throw new JsonSyntaxError(this.#isEnd ? "end" : "name");
      const name = this.#scalar("name");
      if (Object.hasOwn(found, name)) throw new JsonSyntaxError("duplicate");
      const inner = join(path, name);
      this.lines.set(inner, this.#line);
      if (!this.#isNext(":")) throw new JsonSyntaxError(this.#isEnd ? "end" : "colon");
      // `__proto__` must become a field like any other.
      Object.defineProperty(found, name, { value: this.#value(inner), enumerable: true, configurable: true, writable: true });
    } while (this.#isNext(","));
    this.#close("}");
    return found;
  }

  #array(path) {
    const found = [];
    if (this.#isNext("]")) return found;
    do found.push(this.#value(join(path, String(found.length))));
    while (this.#isNext(","));
    this.#close("]");
    return found;
  }

  /** @param {SyntaxProblem} code */
  #scalar(code) {
    SCALAR.lastIndex = this.#at;
    const match = SCALAR.exec(this.#source);
    if (!match) throw new JsonSyntaxError(this.#isEnd ? "end" : code);
    this.#at = SCALAR.lastIndex;
    return JSON.parse(match[0]);
  }

  #close(bracket) {
    if (!this.#isNext(bracket)) throw new JsonSyntaxError(this.#isEnd ? "end" : "comma");
  }

  get #isEnd() {
    return this.#at >= this.#source.length;
  }

  #isNext(character) {
    this.#skipSpace();
    return this.#take(character);
  }

  #take(character) {
    const found = this.#source[this.#at] === character;
    if (found) this.#at += 1;
    return found;
  }

  #skipSpace() {
    SPACE.lastIndex = this.#at;
    const [space] = SPACE.exec(this.#source);
    this.#at += space.length;
    this.#line += space.split("\n").length - 1;
  }
}

/** @param {string} path @param {string} name */
function join(path, name) {
  return path ? `${path}.${name}` : name;
}
