/** Part 1: the connection. */

import { address } from "./airflow.js";
import { attempt, listConnections, testConnection, Turns } from "./api.js";
import { callout, problemCallout } from "./callout.js";
import { busy, byId, element, fill } from "./element.js";
import { number } from "./words.js";

export class ConnectionChoice {
  /** @type {Map<string, import("./api.js").Connection>} */
  #known = new Map();
  #tests = new Turns();
  #select = byId("connection");
  #onChoose;

  /** @param {(id: string) => void} onChoose called when another connection is shown; an empty text: there is none */
  constructor(onChoose) {
    this.#onChoose = onChoose;
    this.#select.addEventListener("change", () => this.#choose(this.#select.value));
    byId("test-connection").addEventListener("click", () => this.#test());
  }

  /** The connection shown, or undefined. */
  get current() {
    return this.#known.get(this.#select.value);
  }

  /**
   * Read the connections and show one.
   * @param {string} wanted ID of the one to show, if it is there
   */
  async load(wanted) {
    const trouble = byId("connection-trouble");
    fill(trouble);
    byId("connection-loading").hidden = false;
    await attempt(
      async () => this.#show(await listConnections(), wanted),
      (problem) => fill(trouble, problemCallout(problem, () => this.load(wanted))),
    );
    byId("connection-loading").hidden = true;
  }

  /**
   * Show another one, as if the reader had chosen it.
   * @param {string} id
   * @returns {boolean} whether it is there
   */
  choose(id) {
    if (!this.#known.has(id)) return false;
    this.#select.value = id;
    this.#choose(id);
    return true;
  }

  /** @param {import("./api.js").Connections} answer @param {string} wanted */
  #show(answer, wanted) {
    const { connections, may_create: mayCreate, create_url: createUrl } = answer;
    this.#known = new Map(connections.map((connection) => [connection.id, connection]));
    fill(this.#select, ...connections.map(({ id }) => element("option", { value: id }, id)));
    byId("connection-choice").hidden = connections.length === 0;
    byId("connection-empty").hidden = connections.length > 0;
    byId("connection-how").hidden = !mayCreate;
    byId("connection-whom").hidden = mayCreate;
    offerCreation(mayCreate, createUrl, connections.length === 0);
    if (wanted && !this.#known.has(wanted)) fill(byId("connection-trouble"), notHere(wanted));
    if (this.#known.has(wanted)) this.#select.value = wanted;
    this.#choose(this.#select.value);
    document.documentElement.dataset.ready = "true";
  }

  #choose(id) {
    this.#tests.end();
    fill(byId("connection-result"));
    if (this.current) fill(byId("connection-about"), ...about(this.current));
    this.#onChoose(id);
  }

  #test() {
    const place = byId("connection-result");
    const { id } = this.current;
    return busy(byId("test-connection"), () =>
      attempt(
        async () => {
          const signal = this.#tests.next();
          fill(place);
          const test = await testConnection(id, signal);
          fill(place, tested(test));
        },
        (problem) => fill(place, problemCallout(problem, () => this.#test())),
      ),
    );
  }
}

/** @param {boolean} may @param {string} url @param {boolean} first whether there is none yet */
function offerCreation(may, url, first) {
  const link = byId("create-connection");
  link.hidden = !may;
  link.href = address(url);
  link.classList.toggle("button", first);
  link.dataset.variant = first ? "primary" : "";
  byId(first ? "connection-empty" : "connection-head").append(link);
}

/** @param {import("./api.js").Connection} connection */
function about({ host, description, source }) {
  return [
    host ? element("code", {}, host) : element("span", { class: "badge", "data-kind": "warning" }, "no valid host"),
    source === "environment" && element("span", { class: "badge" }, "set in the environment"),
    description && element("span", {}, description),
  ];
}

/** @param {import("./api.js").ConnectionTest} test */
function tested({ ok, message, milliseconds }) {
  const title = [ok ? "The connection works" : "The connection does not work", ` · ${number(milliseconds)} ms`];
  return callout(ok ? "success" : "error", title.join(""), message);
}

/** @param {string} id */
function notHere(id) {
  return callout("warning", `The connection “${id}” is not here, or not for you to see. Choose another one.`);
}
