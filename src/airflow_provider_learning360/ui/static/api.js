/**
 * The page's questions to the server, and the shapes of its answers.
 *
 * @typedef {{id: string, host: string | null, description: string | null, may_edit: boolean, source: string}} Connection
 *   host null: it has none that is valid
 * @typedef {{connections: Connection[], may_create: boolean, create_url: string}} Connections
 * @typedef {{ok: boolean, message: string, milliseconds: number}} ConnectionTest
 * @typedef {{id: string, name: string | null, template: string | null, start: string | null, end: string | null,
 *   modified: string | null}} Session
 * @typedef {{sessions: Session[], matches: number, read: number, unreadable: number, complete: boolean,
 *   age: number | null, error: string | null}} Sessions
 * @typedef {{name: string, path: string, type: string, state: "documented" | "unknown" | "missing",
 *   meaning: string | null, note: string | null, people: boolean, value?: string | number | boolean | null,
 *   items?: Field[], count?: number, more?: number}} Field
 * @typedef {{unknown: string[], missing: string[], new_values: string[], more: number}} Drift
 *   more: unknown names that are left out
 * @typedef {{ok: boolean, request: string | null, status: number | null, milliseconds: number, bytes?: number,
 *   title?: string, people?: {hidden: boolean, may_reveal: boolean}, drift?: Drift, fields?: Field[], document?: any,
 *   error?: string, action?: string}} RequestTest
 * @typedef {{language: string, label: string, file: string, text: string, note: string | null}} Snippet
 * @typedef {{kind: string, title: string, text: string, snippets: Snippet[]}} Workflow
 * @typedef {{name: string, uri: string, sessions: number | "all" | null, last_seen: string | null, last_event: string | null,
 *   last_change: string | null, active: boolean, dags: {id: string, url: string}[]}} Watched
 * @typedef {{watched: Watched[], kept: boolean}} WatchedAnswer kept false: this Airflow does not keep what was seen last
 */

/** Characters of a session's name that a workflow has room for: whole ones, as half an emoji is no text. */
const TITLE = 60;

/** Why there is no answer; the text is for the reader. */
export class Problem extends Error {
  /** @param {string} text @param {number | null} status HTTP status; null: Airflow was not reached */
  constructor(text, status) {
    super(text);
    this.status = status;
  }

  get loggedOut() {
    return this.status === 401;
  }
}

/** Of several questions that replace one another, only the newest gets its answer: it ends the ones before. */
export class Turns {
  #current = new AbortController();

  /** @returns {AbortSignal} */
  next() {
    this.#current.abort();
    this.#current = new AbortController();
    return this.#current.signal;
  }

  end() {
    this.#current.abort();
  }
}

/** @returns {Promise<Connections>} */
export const listConnections = () => call("api/connections");

/** @param {string} id @param {AbortSignal} signal @returns {Promise<ConnectionTest>} */
export const testConnection = (id, signal) => call(route(id, "test"), signal, {});

/** @param {string} id @param {string} text @param {AbortSignal} signal @returns {Promise<Sessions>} */
export const findSessions = (id, text, signal) => call(route(id, "sessions"), signal, { text });

/** @param {string} id @param {string} session @param {boolean} reveal @param {AbortSignal} signal
 *  @returns {Promise<RequestTest>} */
export const testRequest = (id, session, reveal, signal) =>
  call(route(id, "request"), signal, { session_id: session, reveal });

/** @param {string} id @param {string} session @param {string} name @param {AbortSignal} signal
 *  @returns {Promise<{workflows: Workflow[]}>} */
export const listWorkflows = (id, session, name, signal) =>
  call(route(id, "workflows"), signal, { session_id: session, title: [...name].slice(0, TITLE).join("") });

/** @param {AbortSignal} signal @returns {Promise<WatchedAnswer>} */
export const listWatched = (signal) => call("api/watched", signal);

/**
 * Do the work, and hand over what goes wrong, unless a newer question ended it.
 * @param {() => Promise<void>} work
 * @param {(problem: Problem) => void} onProblem
 */
export async function attempt(work, onProblem) {
  try {
    await work();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Problem)) throw error;
    onProblem(error);
  }
}

/** @param {string} id @param {string} what */
function route(id, what) {
  return `api/connections/${encodeURIComponent(id)}/${what}`;
}

/** @param {string} path @param {AbortSignal} [signal] @param {object} [body] with one it is a POST */
async function call(path, signal, body) {
  const response = await send(path, signal, body);
  const answer = await readJson(response);
  if (response.ok && answer !== null) return answer;
  throw new Problem(answer?.error ?? withoutText(response), isLogin(response, answer) ? 401 : response.status);
}

async function send(path, signal, body) {
  const post = body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  try {
    return await fetch(path, { signal, headers: { Accept: "application/json" }, ...post });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("Airflow cannot be reached. Check your network connection, then try again.", null);
  }
}

/** The answer, or null if it is no JSON, as from a proxy or a login page. */
async function readJson(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}

function withoutText(response) {
  return (
    `Airflow answered with status ${response.status} and nothing this page can read. ` +
    "Try again; if it stays so, look at the log of Airflow’s API server."
  );
}

/** Some logins answer with a page in place of 401. */
function isLogin(response, answer) {
  return response.status === 401 || (answer === null && response.redirected);
}
