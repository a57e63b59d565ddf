/**
 * The requests of the page, and the shapes of their responses, which `responses.py` describes.
 *
 * @typedef {{code: string, action: string, values: Record<string, string | number>, detail: string | null}} Failure
 * @typedef {{id: string, host: string | null, description: string | null, may_edit: boolean, source: string}} Connection
 * @typedef {{connections: Connection[], preselected: string | null, may_create: boolean,
 *   create_url: string}} ConnectionList
 * @typedef {{ok: boolean, host: string | null, milliseconds: number, failure: Failure | null}} ConnectionTest
 * @typedef {{version: string}} ConnectionVersion
 * @typedef {{id: string, name: string, template: string | null, start: string | null, end: string | null,
 *   modified: string | null}} Session
 * @typedef {{sessions: Session[], matches: number, read: number, unreadable: number, complete: boolean,
 *   age: number | null, error: Failure | null}} SessionSearch
 * @typedef {{code: string, values: Record<string, string | number>}} Note
 * @typedef {{name: string, path: string, type: string, state: "documented" | "unknown" | "missing",
 *   documented_as: string | null, meaning: string | null, notes: Note[], people: boolean,
 *   value?: string | number | boolean | null, items?: Field[], count?: number, more?: number}} Field
 * @typedef {{unknown: string[], missing: string[], new_values: string[], more: number}} Drift
 * @typedef {{ok: boolean, request: string | null, status: number | null, milliseconds: number,
 *   people: {hidden: boolean, may_reveal: boolean}, failure?: Failure, bytes?: number, title?: string, drift?: Drift,
 *   fields?: Field[], document?: any}} RequestTest
 * @typedef {{place: string, text: string}} Problem
 * @typedef {{error: Failure, problems: Problem[]}} ArgumentsError
 * @typedef {{name: string, version: string, method: string, path: string, topic: string, text: string, repeat: string,
 *   usual: boolean, people: boolean, scope: string | null}} Operation
 * @typedef {{operations: Operation[], topics: string[]}} OperationList
 * @typedef {{key: string, name: string, operator: string | null, place: "path" | "query", required: boolean,
 *   type: string, items: string | null, choices: string[] | null, text: string | null,
 *   finds: "session" | null}} Parameter
 * @typedef {Operation & {replaces: string | null, asynchronous: boolean, confidence: string, warning: string | null,
 *   counterpart: string | null, page_size: number | null, reference: string | null, parameters: Parameter[],
 *   body: {type: string, schema: any} | null, answer: {status: number, type: string, schema: any},
 *   example_answer: any, example: {parameters: Record<string, any>, body: any}, errors: Record<string, string[]>,
 *   options: string[]}} OperationDetail
 * @typedef {{method: string, path: string, query: string[][], body: any, headers?: Record<string, string>}} SentRequest
 * @typedef {{ok: boolean, request?: string | null, sent?: SentRequest | null, would_send?: SentRequest,
 *   reason?: "write", repeat?: string, replaces?: string | null, status?: number | null, milliseconds?: number,
 *   bytes?: number, people?: {hidden: boolean, may_reveal: boolean}, failure?: Failure, fields?: Field[],
 *   more_fields?: number, document?: any, drift?: Drift, items?: number | null, more?: boolean,
 *   has_hidden?: boolean}} OperationTest
 * @typedef {{dialect: string, label: string, file: string, text: string, needs: string[]}} Snippet
 * @typedef {{kind: string, snippets: Snippet[]}} Workflow
 * @typedef {{workflows: Workflow[]}} WorkflowList
 * @typedef {{python: string, blueprint: string, dag_factory: string}} Expressions
 * @typedef {WorkflowList & {expressions: Record<string, Expressions>}} OperationWorkflows
 * @typedef {{at: string, due: string, rule: string, session: string, title: string, anchor: string | null,
 *   anchor_at: string | null, message: string, recipients: number, who: string[],
 *   without_address: number}} PlannedReminder
 * @typedef {{problems: Problem[], files: {file: string, text: string}[], plan: PlannedReminder[], until: string,
 *   sessions: number, complete: boolean, not_planned: string[], failure: Failure | null}} ReminderPlan
 * @typedef {{scopes: {name: string, granted: boolean | null, detail: string}[]}} ScopeList
 * @typedef {{name: string, uri: string, sessions: number | "all" | null, last_seen: string | null,
 *   last_event: string | null, last_change: string | null, missing: boolean, active: boolean,
 *   last_polled: string | null, in_trouble_since: string | null,
 *   reported: {at: string, sessions: {id: string, kind: string, fields: string[]}[], more: number}[],
 *   dags: {id: string, url: string}[]}} WatchedAsset
 * @typedef {{watched: WatchedAsset[], polls_stored: boolean}} WatchedAssets
 */

/** Characters of a session's name in a workflow: whole characters, as half an emoji is not valid text. */
const MAX_TITLE_CHARACTERS = 60;

/** A request without a usable response. */
export class ApiError extends Error {
  /** @param {Failure} failure @param {Problem[]} [problems] what is wrong with each argument */
  constructor(failure, problems = []) {
    super(failure.code);
    this.failure = failure;
    this.problems = problems;
  }
}

/** Of requests that replace one another, only the newest one gets its response. */
export class LatestRequest {
  #controller = new AbortController();

  /** @returns {AbortSignal} */
  begin() {
    this.cancel();
    this.#controller = new AbortController();
    return this.#controller.signal;
  }

  cancel() {
    this.#controller.abort();
  }
}

/** @returns {Promise<ConnectionList>} */
export const listConnections = () => send("api/connections");

/** @param {string} id @param {AbortSignal} signal @returns {Promise<ConnectionTest>} */
export const testConnection = (id, signal) => send(route(id, "test"), signal, {});

/** @param {string} id @param {AbortSignal} signal @returns {Promise<ConnectionVersion>} */
export const readVersion = (id, signal) => send(route(id, "version"), signal, {});

/** @param {string} id @param {string} query @param {AbortSignal} signal @returns {Promise<SessionSearch>} */
export const findSessions = (id, query, signal) => send(route(id, "sessions"), signal, { text: query });

/** @param {string} id @param {string} session @param {boolean} reveal @param {AbortSignal} signal
 *  @returns {Promise<RequestTest>} */
export const testRequest = (id, session, reveal, signal) =>
  send(route(id, "request"), signal, { session_id: session, reveal });

/** @param {string} session ID @param {string} name @param {Record<string, any>} options of the workflows */
export const sessionWorkflow = (session, name, options) => ({
  session_id: session,
  title: [...name].slice(0, MAX_TITLE_CHARACTERS).join(""),
  options,
});

/** @param {string} id @param {ReturnType<typeof sessionWorkflow>} workflow @param {AbortSignal} signal
 *  @returns {Promise<WorkflowList>} */
export const listWorkflows = (id, workflow, signal) => send(route(id, "workflows"), signal, workflow);

/** @param {AbortSignal} signal @returns {Promise<OperationList>} */
export const listOperations = (signal) => send("api/operations", signal);

/** @param {string} name @param {AbortSignal} signal @returns {Promise<OperationDetail>} */
export const readOperation = (name, signal) => send(`api/operations/${encodeURIComponent(name)}`, signal);

/** @param {string} id @param {AbortSignal} signal @returns {Promise<ScopeList>} */
export const listScopes = (id, signal) => send(route(id, "access"), signal, {});

/**
 * @typedef {{name: string, parameters: Record<string, any>, body: any}} Call
 */

/** @param {string} id @param {Call} call @param {boolean} reveal @param {AbortSignal} signal
 *  @returns {Promise<OperationTest>} */
export const testOperation = (id, call, reveal, signal) =>
  send(route(id, "operation"), signal, { ...call, pages: 1, reveal });

/** @param {string} id @param {Call & {options: Record<string, any>, picked: string[]}} call @param {AbortSignal} signal
 *  @returns {Promise<WorkflowList>} */
export const listOperationWorkflows = (id, call, signal) => send(route(id, "operation-workflows"), signal, call);

/** @param {string} id @param {object} workflow what was sent to get it @param {string} dialect
 *  @returns {Promise<Blob>} a ZIP file */
export const readArchive = (id, workflow, dialect) =>
  send(route(id, "archive"), undefined, { workflow, dialect }, (response) => response.blob());

/** @param {string} id @param {object} plan policy, sessions, approval and days @param {AbortSignal} signal
 *  @returns {Promise<ReminderPlan>} */
export const planReminders = (id, plan, signal) => send(route(id, "reminders"), signal, plan);

/** @param {AbortSignal} signal @returns {Promise<WatchedAssets>} */
export const listWatchedAssets = (signal) => send("api/watched", signal);

/**
 * Run requests. A newer request cancels them silently; other errors are passed on.
 * @param {() => Promise<void>} work
 * @param {(failure: Failure, problems: Problem[]) => void} onFailure
 */
export async function runRequest(work, onFailure) {
  try {
    await work();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof ApiError)) throw error;
    onFailure(error.failure, error.problems);
  }
}

/** @param {string} id @param {string} action */
function route(id, action) {
  return `api/connections/${encodeURIComponent(id)}/${action}`;
}

/**
 * @param {string} path @param {AbortSignal} [signal] @param {object} [body] of a POST; a GET has none
 * @param {(response: Response) => Promise<any>} [read] of a response that succeeded
 */
async function send(path, signal, body, read = readJson) {
  const response = await fetchJson(path, signal, body);
  const content = await (response.ok ? read : readJson)(response);
  if (response.ok && content !== null) return content;
  const failure = content?.error?.code ? content.error : failureOf(response, content);
  throw new ApiError(failure, content?.problems);
}

async function fetchJson(path, signal, body) {
  const post = body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  try {
    return await fetch(path, { signal, headers: { Accept: "application/json" }, ...post });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(buildFailure("airflow_unreachable", "retry"));
  }
}

/** The body, or null if it is not JSON, as from a proxy or a login page. */
async function readJson(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}

/** The failure for a response that the page's own routes did not send. */
function failureOf(response, content) {
  // Some logins respond with a page instead of 401.
  const isLogin = response.status === 401 || (content === null && response.redirected);
  if (isLogin) return buildFailure("not_logged_in", "log_in");
  return buildFailure("unreadable_response", "retry", { status: response.status });
}

/** @returns {Failure} */
export function buildFailure(code, action, values = {}) {
  return { code, action, values, detail: null };
}
