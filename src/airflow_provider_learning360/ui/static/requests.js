/** Part 3: the request for the chosen session, tried. */

import { address } from "./airflow.js";
import { attempt, testRequest, Turns } from "./api.js";
import { actionButton, callout, problemCallout } from "./callout.js";
import { copyOnClick } from "./clipboard.js";
import { showCode } from "./code.js";
import { busy, byId, element, fill } from "./element.js";
import { Tabs } from "./tabs.js";
import { Tree } from "./tree.js";
import { number, size } from "./words.js";

const VIEWS = [
  { id: "tree", label: "Tree", panel: "view-tree" },
  { id: "json", label: "JSON", panel: "view-json" },
];

const HIDDEN =
  "People’s data, and what is not documented, is hidden. Free text such as the description may still name somebody.";
const NOT_FOR_YOU = `${HIDDEN} What is hidden is shown to those who may edit this connection in Airflow.`;
const SHOWN = "People’s data is shown; Airflow’s audit log has a line that you looked at this session.";

/** Differences of one kind that are named above the tree. */
const NAMED = 12;

export class RequestTrial {
  #turns = new Turns();
  #connection = "";
  #session = "";
  #revealed = false;
  #tree = new Tree(byId("tree"), showToggle);
  #tabs = new Tabs(byId("view-tabs"), (view) => this.#showView(view));
  #onWrongId;
  #onTitle;

  /**
   * @param {() => void} onWrongId called when the reader wants to choose another session
   * @param {(title: string) => void} onTitle called with what the answer calls the session
   */
  constructor(onWrongId, onTitle) {
    this.#onWrongId = onWrongId;
    this.#onTitle = onTitle;
    this.#tabs.show(VIEWS, "tree");
    byId("test-request").addEventListener("click", () => this.test());
    byId("reveal").addEventListener("click", () => this.#reveal(!this.#revealed));
    byId("expand-all").addEventListener("click", () => this.#tree.toggleAll());
    copyOnClick(byId("copy-json"), () => byId("json").textContent);
  }

  /**
   * Make ready for another session.
   * @param {string} connection @param {string} session ID; empty: none is chosen
   */
  open(connection, session) {
    this.#turns.end();
    this.#connection = connection;
    this.#session = session;
    this.#tree.forget();
    this.#clear();
    byId("request-hint").hidden = session !== "";
    byId("request-work").hidden = session === "";
  }

  focus() {
    byId("test-request").focus();
  }

  test() {
    return busy(byId("test-request"), () => this.#ask(false));
  }

  #reveal(reveal) {
    return busy(byId("reveal"), () => this.#ask(reveal));
  }

  #ask(reveal) {
    return attempt(
      async () => {
        const signal = this.#turns.next();
        fill(byId("request-trouble"));
        this.#show(await testRequest(this.#connection, this.#session, reveal, signal), reveal);
      },
      (problem) => {
        // What is on the page stays when only its people's data could not be had.
        if (!reveal) this.#clear();
        fill(byId("request-trouble"), problemCallout(problem, () => this.#ask(reveal)));
      },
    );
  }

  /** People's data goes with everything else. */
  #clear() {
    this.#revealed = false;
    this.#tree.show([]);
    byId("request-result").hidden = true;
    for (const id of ["request-summary", "request-trouble", "json"]) fill(byId(id));
  }

  /** @param {import("./api.js").RequestTest} test @param {boolean} reveal */
  #show(test, reveal) {
    if (!test.ok) {
      this.#clear();
      fill(byId("request-summary"), summary(test));
      fill(byId("request-trouble"), this.#failure(test));
      return;
    }
    this.#revealed = reveal;
    fill(byId("request-summary"), summary(test));
    fill(byId("drift"), ...drift(test.drift));
    this.#showPeople(test.people);
    this.#tree.show(test.fields);
    showCode(byId("json"), JSON.stringify(test.document, null, 2), "json");
    byId("request-result").hidden = false;
    this.#onTitle(test.title);
  }

  /** @param {{hidden: boolean, may_reveal: boolean}} people */
  #showPeople({ may_reveal: mayReveal }) {
    const button = byId("reveal");
    button.hidden = !mayReveal;
    button.textContent = this.#revealed ? "Hide people’s data" : "Show people’s data";
    byId("people").textContent = this.#revealed ? SHOWN : mayReveal ? HIDDEN : NOT_FOR_YOU;
  }

  #showView(view) {
    for (const { id, panel } of VIEWS) byId(panel).hidden = id !== view;
    byId("expand-all").hidden = view !== "tree";
    byId("copy-json").hidden = view !== "json";
  }

  /** @param {import("./api.js").RequestTest} test */
  #failure({ error, action }) {
    const helps = {
      "Fix the ID": actionButton(this.#onWrongId, "Choose another session"),
      "Fix the connection": element("a", { href: address("connections") }, "Open Airflow’s connections"),
      Wait: actionButton(() => this.test(), "Try again"),
      "Try again": actionButton(() => this.test(), "Try again"),
    };
    return callout("error", error, element("strong", {}, `What to do: ${action}`), helps[action]);
  }
}

/** @param {boolean} all whether all of the tree is open */
function showToggle(all) {
  byId("expand-all").textContent = all ? "Fold all" : "Expand all";
}

/** @param {import("./api.js").RequestTest} test */
function summary({ ok, request, status, milliseconds, bytes }) {
  const code = status ?? (request === null ? "not sent" : "no answer");
  return element(
    "p",
    { class: "summary" },
    element("span", { class: "badge", "data-kind": ok ? "success" : "error" }, code),
    request && element("code", { class: "request-line" }, request),
    element("span", { class: "quiet" }, `${number(milliseconds)} ms${bytes ? ` · ${size(bytes)}` : ""}`),
  );
}

/** @param {import("./api.js").Drift} drift */
function drift({ unknown, missing, new_values: newValues, more }) {
  const parts = [
    differences(unknown, "unknown", "undocumented field", "undocumented fields", more),
    differences(missing, "missing", "documented field that was not sent", "documented fields that were not sent"),
    differences(newValues, "unknown", "undocumented value", "undocumented values"),
  ].filter(Boolean);
  return parts.length > 0 ? parts : [element("span", { class: "badge", "data-kind": "success" }, "as documented")];
}

/**
 * @param {string[]} names @param {string} state @param {string} one @param {string} many
 * @param {number} [more] further ones, of which the names were not sent
 */
function differences(names, state, one, many, more = 0) {
  const count = names.length + more;
  if (count === 0) return null;
  return element(
    "span",
    { class: "drift" },
    element("span", { class: "badge", "data-state": state }, number(count)),
    ` ${count === 1 ? one : many}: `,
    element("code", {}, names.slice(0, NAMED).join(", "), count > NAMED && ", …"),
  );
}
