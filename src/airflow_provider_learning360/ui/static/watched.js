/** Part 5: what is watched already. */

import { address } from "./airflow.js";
import { attempt, listWatched, Turns } from "./api.js";
import { problemCallout } from "./callout.js";
import { busy, byId, element, fill } from "./element.js";
import { date, number } from "./words.js";

const HEADS = ["Asset", "Sessions", "Last change", "Last event", "Changed", "DAGs"];
const NOT_KEPT = "Below Airflow 3.3, what was seen last is kept in the triggerer’s memory only";

export class WatchedList {
  #turns = new Turns();
  #onHow;

  /** @param {() => void} onHow called when the reader wants to know how to watch a session */
  constructor(onHow) {
    this.#onHow = onHow;
    byId("refresh-watched").addEventListener("click", () => busy(byId("refresh-watched"), () => this.load()));
  }

  load() {
    const trouble = byId("watched-trouble");
    return attempt(
      async () => {
        const answer = await listWatched(this.#turns.next());
        fill(trouble);
        fill(byId("watched"), this.#list(answer));
      },
      (problem) => {
        fill(byId("watched"));
        fill(trouble, problemCallout(problem, () => this.load()));
      },
    );
  }

  /** @param {import("./api.js").WatchedAnswer} answer */
  #list({ watched, kept }) {
    if (watched.length === 0) return nothingWatched(this.#onHow);
    const heads = HEADS.map((head) => element("th", { role: "columnheader", scope: "col" }, head));
    return element(
      "table",
      { class: "cards", role: "table" },
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads)),
      element("tbody", { role: "rowgroup" }, ...watched.map((one) => row(one, kept))),
    );
  }
}

/** @param {import("./api.js").Watched} watched @param {boolean} kept */
function row(watched, kept) {
  const { name, uri, sessions, active, dags } = watched;
  const links = dags.map(({ id, url }) => element("a", { href: address(url) }, id));
  const cells = [
    asset(name, uri, active),
    typeof sessions === "number" ? number(sessions) : (sessions ?? "–"),
    kept ? date(watched.last_seen, "none yet") : element("span", { class: "quiet", title: NOT_KEPT }, "not kept"),
    date(watched.last_event, "none yet"),
    watched.last_change ?? "–",
    links.length ? element("span", { class: "stack" }, ...links) : "–",
  ];
  return element(
    "tr",
    { role: "row" },
    ...cells.map((cell, column) => element("td", { role: "cell", "data-head": HEADS[column] }, cell)),
  );
}

function asset(name, uri, active) {
  const badge = !active && element("span", { class: "badge", title: "Airflow watches it as soon as a DAG that listens is switched on" }, "not active");
  return element(
    "span",
    { class: "stack" },
    element("span", { class: "name" }, name, badge),
    name !== uri && element("code", { class: "quiet" }, uri),
  );
}

/** @param {() => void} onHow */
function nothingWatched(onHow) {
  return element(
    "div",
    { class: "empty" },
    element("p", { class: "empty-title" }, "No session is watched yet"),
    element(
      "p",
      {},
      "Choose a session above, copy the workflow that runs when it changes into your DAGs folder, and switch the " +
        "DAG on. It is listed here after Airflow has read it.",
    ),
    element("p", {}, element("button", { type: "button", class: "button", onclick: onHow }, "Show me the workflow")),
  );
}
