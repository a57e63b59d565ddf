/** Step 1: the connection. */

import { address } from "./airflow.js";
import { LatestRequest, listConnections, runRequest, testConnection } from "./api.js";
import { callout, failureCallout } from "./callout.js";
import { byId, element, fill, runBusy } from "./element.js";
import { text } from "./texts.js";

export class ConnectionPicker {
  /** @type {Map<string, import("./api.js").Connection>} */
  #connections = new Map();
  #test = new LatestRequest();
  #select = byId("connection");
  #onSelect;

  /** @param {(id: string) => void} onSelect called when another connection is shown; empty if there is none */
  constructor(onSelect) {
    this.#onSelect = onSelect;
    this.#select.addEventListener("change", () => this.#show(this.#select.value));
    byId("test-connection").addEventListener("click", () => this.#sendTest());
  }

  /** The connection shown, or undefined. */
  get current() {
    return this.#connections.get(this.#select.value);
  }

  /**
   * Load the connections and show one.
   * @param {string} wanted ID of the one to show, if it exists
   */
  async load(wanted) {
    const trouble = byId("connection-trouble");
    fill(trouble);
    byId("connection-loading").hidden = false;
    await runRequest(
      async () => this.#showList(await listConnections(), wanted),
      (failure) => fill(trouble, failureCallout(failure, { retry: () => this.load(wanted) })),
    );
    byId("connection-loading").hidden = true;
  }

  /**
   * Show another connection, as if the reader had selected it.
   * @param {string} id
   * @returns {boolean} whether it exists
   */
  select(id) {
    if (!this.#connections.has(id)) return false;
    this.#select.value = id;
    this.#show(id);
    return true;
  }

  /** @param {import("./api.js").ConnectionList} list @param {string} wanted */
  #showList({ connections, preselected, may_create: mayCreate, create_url: createUrl }, wanted) {
    this.#connections = new Map(connections.map((connection) => [connection.id, connection]));
    fill(this.#select, ...connections.map(({ id }) => element("option", { value: id }, id)));
    byId("connection-choice").hidden = connections.length === 0;
    byId("connection-empty").hidden = connections.length > 0;
    byId("connection-how").hidden = !mayCreate;
    byId("connection-ask").hidden = mayCreate;
    offerCreation(mayCreate, createUrl, connections.length === 0);
    const exists = this.#connections.has(wanted);
    if (wanted && !exists) fill(byId("connection-trouble"), callout("warning", text("connection.not_found", { id: wanted })));
    if (connections.length > 0) this.#select.value = exists ? wanted : preselected;
    this.#show(this.#select.value);
    document.documentElement.dataset.ready = "true";
  }

  #show(id) {
    this.#test.cancel();
    fill(byId("connection-result"));
    if (this.current) fill(byId("connection-about"), ...describe(this.current));
    this.#onSelect(id);
  }

  #sendTest() {
    const place = byId("connection-result");
    const { id } = this.current;
    const handlers = { retry: () => this.#sendTest() };
    return runBusy(byId("test-connection"), () =>
      runRequest(
        async () => {
          const signal = this.#test.begin();
          fill(place);
          fill(place, testResult(await testConnection(id, signal), handlers));
        },
        (failure) => fill(place, failureCallout(failure, handlers)),
      ),
    );
  }
}

/** @param {boolean} may @param {string} url @param {boolean} isFirst whether there is no connection yet */
function offerCreation(may, url, isFirst) {
  const link = byId("create-connection");
  link.hidden = !may;
  link.href = address(url);
  link.classList.toggle("button", isFirst);
  link.dataset.variant = isFirst ? "primary" : "";
  byId(isFirst ? "connection-empty" : "connection-head").append(link);
}

/** @param {import("./api.js").Connection} connection */
function describe({ host, description, source }) {
  const invalid = () => element("span", { class: "badge", "data-kind": "warning" }, text("connection.host_invalid"));
  return [
    host ? element("code", {}, host) : invalid(),
    source === "environment" && element("span", { class: "badge" }, text("connection.from_environment")),
    description && element("span", {}, description),
  ];
}

/** @param {import("./api.js").ConnectionTest} test @param {{retry: () => void}} handlers */
function testResult({ host, milliseconds, failure }, handlers) {
  if (failure) return failureCallout(failure, handlers);
  const accepted = element("p", { class: "callout-text" }, text("connection.accepted", { host }));
  return callout("success", text("connection.works", { milliseconds }), accepted);
}
