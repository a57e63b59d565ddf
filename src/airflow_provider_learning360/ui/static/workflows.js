/** Part 4: workflows for the chosen session, as source. */

import { attempt, listWorkflows, Turns } from "./api.js";
import { problemCallout } from "./callout.js";
import { copyOnClick } from "./clipboard.js";
import { showCode } from "./code.js";
import { byId, fill } from "./element.js";
import { Tabs } from "./tabs.js";

const REMEMBERED = "learning360.language";

export class WorkflowOffer {
  #turns = new Turns();
  /** @type {import("./api.js").Workflow[]} */
  #workflows = [];
  #kind = "";
  #language = readLanguage();
  #kinds = new Tabs(byId("workflow-tabs"), (kind) => this.#showWorkflow(kind));
  #languages = new Tabs(byId("language-tabs"), (language) => this.#chooseLanguage(language));

  constructor() {
    copyOnClick(byId("copy"), () => byId("snippet").textContent);
  }

  /**
   * Offer the workflows for another session.
   * @param {string} connection
   * @param {string} session ID; empty: none is chosen
   * @param {string} name of the session, where it is known
   */
  async open(connection, session, name) {
    const trouble = byId("workflows-trouble");
    const signal = this.#turns.next();
    fill(trouble);
    byId("workflows-hint").hidden = session !== "";
    byId("workflows").hidden = true;
    if (!session) return;
    await attempt(
      async () => this.#show((await listWorkflows(connection, session, name, signal)).workflows),
      (problem) => fill(trouble, problemCallout(problem, () => this.open(connection, session, name))),
    );
  }

  /**
   * Show the workflows of a kind, if a session is chosen.
   * @param {string} kind
   * @returns {boolean} whether it could be shown
   */
  goTo(kind) {
    if (byId("workflows").hidden || !this.#find(kind)) return false;
    this.#kinds.select(kind);
    this.#showWorkflow(kind);
    byId("workflow-tabs").querySelector("[aria-selected=true]").focus();
    return true;
  }

  #find(kind) {
    return this.#workflows.find((workflow) => workflow.kind === kind);
  }

  /** @param {import("./api.js").Workflow[]} workflows */
  #show(workflows) {
    this.#workflows = workflows;
    if (workflows.length === 0) return;
    const { kind } = this.#find(this.#kind) ?? workflows[0];
    const tabs = workflows.map(({ kind: id, title }) => ({ id, label: title, panel: "workflow" }));
    this.#kinds.show(tabs, kind);
    this.#showWorkflow(kind);
    byId("workflows").hidden = false;
  }

  #showWorkflow(kind) {
    const { text, snippets } = this.#find(kind);
    this.#kind = kind;
    byId("workflow-text").textContent = text;
    const snippet = snippets.find(({ language }) => language === this.#language) ?? snippets[0];
    const tabs = snippets.map(({ language: id, label }) => ({ id, label, panel: "language" }));
    this.#languages.show(tabs, snippet.language);
    showSnippet(snippet);
  }

  #chooseLanguage(language) {
    this.#language = language;
    keepLanguage(language);
    showSnippet(this.#find(this.#kind).snippets.find((snippet) => snippet.language === language));
  }
}

/** @param {import("./api.js").Snippet} snippet */
function showSnippet({ language, file, text, note }) {
  byId("snippet-file").textContent = file;
  showCode(byId("snippet"), text, language === "python" ? "python" : "yaml");
  byId("snippet").scrollTo(0, 0);
  byId("snippet-note").hidden = !note;
  byId("snippet-note").textContent = note ?? "";
}

function readLanguage() {
  try {
    return sessionStorage.getItem(REMEMBERED) ?? "";
  } catch {
    // Storage may be switched off; then the choice lasts as long as the page.
    return "";
  }
}

/** @param {string} language */
function keepLanguage(language) {
  try {
    sessionStorage.setItem(REMEMBERED, language);
  } catch {
    // As above.
  }
}
