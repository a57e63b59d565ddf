/** Step 4: workflows for the selected session, as source. */

import { LatestRequest, listWorkflows, runRequest } from "./api.js";
import { failureCallout } from "./callout.js";
import { copyOnClick } from "./clipboard.js";
import { showCode } from "./code.js";
import { byId, element, fill } from "./element.js";
import { Tabs } from "./tabs.js";
import { text } from "./texts.js";

const STORAGE_KEY = "learning360.dialect";

export class WorkflowPicker {
  #request = new LatestRequest();
  /** @type {import("./api.js").Workflow[]} */
  #workflows = [];
  #kind = "";
  #dialect = readDialect();
  #kinds = new Tabs(byId("workflow-tabs"), (kind) => this.#showWorkflow(kind));
  #dialects = new Tabs(byId("dialect-tabs"), (dialect) => this.#selectDialect(dialect));

  constructor() {
    copyOnClick(byId("copy"), () => byId("snippet").textContent);
  }

  /**
   * Offer the workflows for another session.
   * @param {string} connection
   * @param {string} session ID; empty if none is selected
   * @param {string} name of the session, if it is known
   */
  async open(connection, session, name) {
    const trouble = byId("workflows-trouble");
    const signal = this.#request.begin();
    fill(trouble);
    this.#hide(session ? "" : text("request.choose_session"));
    if (!session) return;
    await runRequest(
      async () => this.#show((await listWorkflows(connection, session, name, signal)).workflows),
      (failure) => fill(trouble, failureCallout(failure, { retry: () => this.open(connection, session, name) })),
    );
  }

  /** The test request failed: offer no workflow. */
  close() {
    this.#request.cancel();
    fill(byId("workflows-trouble"));
    this.#hide(text("workflow.after_failure"));
  }

  /** Whether workflows are offered. */
  get isOpen() {
    return !byId("workflows").hidden;
  }

  /**
   * Show the workflows of a kind, if a session is selected.
   * @param {string} kind
   * @returns {boolean} whether it could be shown
   */
  goTo(kind) {
    if (!this.isOpen || !this.#find(kind)) return false;
    this.#kinds.select(kind);
    this.#showWorkflow(kind);
    byId("workflow-tabs").querySelector("[aria-selected=true]").focus();
    return true;
  }

  /** @param {string} hint shown in place of the workflows */
  #hide(hint) {
    byId("workflows").hidden = true;
    fill(byId("workflows-hint"), hint);
  }

  #find(kind) {
    return this.#workflows.find((workflow) => workflow.kind === kind);
  }

  /** @param {import("./api.js").Workflow[]} workflows */
  #show(workflows) {
    this.#workflows = workflows;
    if (workflows.length === 0) return;
    const { kind } = this.#find(this.#kind) ?? workflows[0];
    const tabs = workflows.map(({ kind: id }) => ({ id, label: text(`workflow.${id}.title`), panel: "workflow" }));
    this.#kinds.show(tabs, kind);
    this.#showWorkflow(kind);
    byId("workflows").hidden = false;
  }

  #showWorkflow(kind) {
    const { snippets } = this.#find(kind);
    this.#kind = kind;
    byId("workflow-text").textContent = text(`workflow.${kind}.text`);
    const snippet = snippets.find(({ dialect }) => dialect === this.#dialect) ?? snippets[0];
    const tabs = snippets.map(({ dialect: id, label }) => ({ id, label, panel: "dialect" }));
    this.#dialects.show(tabs, snippet.dialect);
    showSnippet(snippet);
  }

  #selectDialect(dialect) {
    this.#dialect = dialect;
    storeDialect(dialect);
    showSnippet(this.#find(this.#kind).snippets.find((snippet) => snippet.dialect === dialect));
  }
}

/** @param {import("./api.js").Snippet} snippet */
function showSnippet({ dialect, file, text: source, needs }) {
  byId("snippet-file").textContent = file;
  showCode(byId("snippet"), source, dialect === "python" ? "python" : "yaml");
  byId("snippet").scrollTo(0, 0);
  byId("snippet-needs").hidden = needs.length === 0;
  fill(byId("needs"), ...needs.map((need) => element("li", {}, text(`need.${need}`))));
}

function readDialect() {
  try {
    return sessionStorage.getItem(STORAGE_KEY) ?? "";
  } catch {
    // Storage may be switched off; then the selection lasts as long as the page.
    return "";
  }
}

/** @param {string} dialect */
function storeDialect(dialect) {
  try {
    sessionStorage.setItem(STORAGE_KEY, dialect);
  } catch {
    // As above.
  }
}
