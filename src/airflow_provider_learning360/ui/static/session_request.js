/** Step 3: the test request for the selected session. */

import { LatestRequest, runRequest, testRequest } from "./api.js";
import { failureCallout } from "./callout.js";
import { copyOnClick } from "./clipboard.js";
import { showCode } from "./code.js";
import { byId, element, fill, runBusy } from "./element.js";
import { number, size } from "./format.js";
import { Tabs } from "./tabs.js";
import { plural, text } from "./texts.js";
import { Tree } from "./tree.js";

const VIEWS = [
  { id: "tree", panel: "view-tree" },
  { id: "json", panel: "view-json" },
];

/** Names above the tree, of each kind of difference. */
const MAX_NAMES = 12;

/**
 * @typedef {object} Handlers
 * @property {() => void} onWrongId called when the reader wants to choose another session
 * @property {(title: string) => void} onSuccess called with the name and ID of the session
 * @property {() => void} onFailure called when a test request failed
 */

export class SessionRequest {
  #request = new LatestRequest();
  #connection = "";
  #session = "";
  #isRevealed = false;
  #tree = new Tree(byId("tree"), showToggle);
  #tabs = new Tabs(byId("view-tabs"), (view) => this.#showView(view));
  /** @type {Handlers} */
  #handlers;

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#tabs.show(VIEWS.map(({ id, panel }) => ({ id, label: text(`request.${id}`), panel })), "tree");
    byId("test-request").addEventListener("click", () => this.send());
    byId("reveal").addEventListener("click", () => this.#reveal(!this.#isRevealed));
    byId("expand-all").addEventListener("click", () => this.#tree.toggleAll());
    copyOnClick(byId("copy-json"), () => byId("json").textContent);
  }

  /**
   * Prepare for another session.
   * @param {string} connection @param {string} session ID; empty if none is selected
   */
  open(connection, session) {
    this.#request.cancel();
    this.#connection = connection;
    this.#session = session;
    this.#tree.reset();
    this.#clear();
    byId("request-hint").hidden = session !== "";
    byId("request-work").hidden = session === "";
  }

  focus() {
    byId("test-request").focus();
  }

  send() {
    return runBusy(byId("test-request"), () => this.#send(false));
  }

  #reveal(reveal) {
    return runBusy(byId("reveal"), () => this.#send(reveal));
  }

  #send(reveal) {
    return runRequest(
      async () => {
        const signal = this.#request.begin();
        fill(byId("request-trouble"));
        const test = await testRequest(this.#connection, this.#session, reveal, signal);
        if (test.ok) this.#showSuccess(test, reveal);
        else this.#showFailure(test.failure, reveal, summary(test));
      },
      // If only people's data could not be read, the rest of the page stays.
      (failure) => (reveal ? this.#showTrouble(failure, reveal) : this.#showFailure(failure, reveal)),
    );
  }

  /** Remove the document, with people's data. */
  #clear() {
    this.#isRevealed = false;
    this.#tree.show([]);
    byId("request-result").hidden = true;
    for (const id of ["request-summary", "request-trouble", "json"]) fill(byId(id));
  }

  /** @param {import("./api.js").Failure} failure @param {boolean} reveal @param {any} [request] */
  #showFailure(failure, reveal, request) {
    this.#clear();
    this.#showTrouble(failure, reveal, request);
    this.#handlers.onFailure();
  }

  #showTrouble(failure, reveal, request) {
    const handlers = { retry: () => this.#send(reveal), chooseSession: this.#handlers.onWrongId };
    fill(byId("request-trouble"), failureCallout(failure, handlers, request));
  }

  /** @param {import("./api.js").RequestTest} test @param {boolean} reveal */
  #showSuccess(test, reveal) {
    this.#isRevealed = reveal;
    fill(byId("request-summary"), element("p", { class: "summary" }, summary(test)));
    fill(byId("drift"), ...drift(test.drift));
    this.#showPeople(test.people);
    this.#tree.show(test.fields);
    showCode(byId("json"), JSON.stringify(test.document, null, 2), "json");
    byId("request-result").hidden = false;
    this.#handlers.onSuccess(test.title);
  }

  /** @param {{hidden: boolean, may_reveal: boolean}} people */
  #showPeople({ may_reveal: mayReveal }) {
    const button = byId("reveal");
    button.hidden = !mayReveal;
    button.textContent = text(this.#isRevealed ? "request.hide" : "request.reveal");
    const hidden = mayReveal ? "request.people_hidden" : "request.people_not_permitted";
    byId("people").textContent = text(this.#isRevealed ? "request.people_shown" : hidden);
  }

  #showView(view) {
    for (const { id, panel } of VIEWS) byId(panel).hidden = id !== view;
    byId("expand-all").hidden = view !== "tree";
    byId("copy-json").hidden = view !== "json";
  }
}

/** @param {boolean} isAllOpen whether the whole tree is open */
function showToggle(isAllOpen) {
  byId("expand-all").textContent = text(isAllOpen ? "request.collapse" : "request.expand");
}

/** The request and its response, on one line. @param {import("./api.js").RequestTest} test */
function summary({ ok, request, status, milliseconds, bytes, failure }) {
  // The detail of a failure often names the request.
  const isShown = request && !failure?.detail?.includes(request);
  const code = status ?? text(request === null ? "request.not_sent" : "request.no_response");
  const time = text("request.milliseconds", { milliseconds });
  return element(
    "span",
    { class: "summary-line" },
    element("span", { class: "badge", "data-kind": ok ? "success" : "error" }, code),
    isShown && element("code", { class: "request-line" }, request),
    element("span", { class: "quiet" }, bytes ? `${time} · ${size(bytes)}` : time),
  );
}

/** @param {import("./api.js").Drift} drift */
function drift({ unknown, missing, new_values: newValues, more }) {
  const parts = [
    differences(unknown, "unknown", "request.unknown_fields", more),
    differences(missing, "missing", "request.missing_fields"),
    differences(newValues, "unknown", "request.new_values"),
  ].filter(Boolean);
  if (parts.length > 0) return parts;
  return [element("span", { class: "badge", "data-kind": "success" }, text("request.as_documented"))];
}

/**
 * @param {string[]} names @param {string} state @param {string} key
 * @param {number} [more] further ones, whose names were not sent
 */
function differences(names, state, key, more = 0) {
  const count = names.length + more;
  if (count === 0) return null;
  return element(
    "span",
    { class: "drift" },
    element("span", { class: "badge", "data-state": state }, number(count)),
    ` ${plural(key, count)} `,
    element("code", {}, names.slice(0, MAX_NAMES).join(", "), count > MAX_NAMES && ", …"),
  );
}
