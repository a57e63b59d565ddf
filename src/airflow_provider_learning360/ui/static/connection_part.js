/** Part 1: the connection. */

import { address } from "./airflow.js";
import { runRequest, testConnection } from "./api.js";
import { BusyButton } from "./busy_button.js";
import { Callout, FailureCallout } from "./callout.js";
import { html } from "./html.js";
import { useLatestRequest } from "./latest_request.js";
import { Part } from "./part.js";
import { useState } from "./preact_hooks.js";
import { text } from "./texts.js";

/**
 * @param {object} props
 * @param {import("./connection_list.js").ConnectionLoad & {reload: () => Promise<void>}} props.connections
 * @param {string} props.selected ID; empty if there is no connection
 * @param {string} props.notFound ID that the address names and that does not exist
 * @param {(id: string) => void} props.onSelect
 */
export function ConnectionPart({ connections, selected, notFound, onSelect }) {
  const { list, failure, isLoading, reload } = connections;
  const current = list?.connections.find(({ id }) => id === selected);
  const creation = list?.may_create && html`<${CreationLink} url=${list.create_url} isFirst=${!current} />`;
  return html`
    <${Part} number=${1} id="connection" title=${text("connection.title")} action=${current && creation}>
      ${isLoading && html`<p id="connection-loading" class="quiet loading">${text("connection.loading")}</p>`}
      <div id="connection-trouble" role="alert">
        ${failure && html`<${FailureCallout} failure=${failure} onRetry=${reload} />`}
        ${notFound && html`<${Callout} kind="warning" title=${text("connection.not_found", { id: notFound })} />`}
      </div>
      ${current && html`<${Choice} connections=${list.connections} current=${current} onSelect=${onSelect} />`}
      ${list && !current && html`<${NoConnection} mayCreate=${list.may_create} creation=${creation} />`}
    <//>
  `;
}

/** @param {{connections: Connection[], current: Connection, onSelect: (id: string) => void}} props */
function Choice({ connections, current, onSelect }) {
  const [test, setTest] = useState(/** @type {{id: string, content: any}} */ ({ id: "", content: null }));
  const latest = useLatestRequest();
  const { id } = current;

  function select(event) {
    latest.cancel();
    setTest({ id: "", content: null });
    onSelect(event.currentTarget.value);
  }

  function sendTest() {
    const show = (failure) => setTest({ id, content: html`<${FailureCallout} failure=${failure} onRetry=${sendTest} />` });
    return runRequest(async () => {
      setTest({ id, content: null });
      const result = await testConnection(id, latest.begin());
      if (result.failure) show(result.failure);
      else setTest({ id, content: html`<${Accepted} ...${result} />` });
    }, show);
  }

  return html`
    <div id="connection-choice">
      <div class="fields">
        <div class="field">
          <label for="connection">${text("connection.label")}</label>
          <select id="connection" value=${id} onChange=${select}>
            ${connections.map((one) => html`<option key=${one.id} value=${one.id}>${one.id}</option>`)}
          </select>
        </div>
        <${BusyButton} id="test-connection" work=${sendTest}>${text("connection.test")}<//>
      </div>
      <p id="connection-about" class="about"><${Description} ...${current} /></p>
      <div id="connection-result" role="status">${test.id === id && test.content}</div>
    </div>
  `;
}

/** @typedef {import("./api.js").Connection} Connection */

/** @param {Connection} connection */
function Description({ host, description, source }) {
  return html`
    ${host ? html`<code>${host}</code>` : html`<span class="badge" data-kind="warning">${text("connection.host_invalid")}</span>`}
    ${source === "environment" && html`<span class="badge">${text("connection.from_environment")}</span>`}
    ${description && html`<span>${description}</span>`}
  `;
}

/** @param {import("./api.js").ConnectionTest} test */
function Accepted({ host, milliseconds }) {
  return html`
    <${Callout} kind="success" title=${text("connection.works", { milliseconds })}>
      <p class="callout-text">${text("connection.accepted", { host })}</p>
    <//>
  `;
}

/** @param {{url: string, isFirst: boolean}} props isFirst: whether there is no connection yet */
function CreationLink({ url, isFirst }) {
  const style = isFirst ? { class: "button", "data-variant": "primary" } : {};
  return html`<a id="create-connection" href=${address(url)} ...${style}>${text("connection.create")}</a>`;
}

/** @param {{mayCreate: boolean, creation: any}} props */
function NoConnection({ mayCreate, creation }) {
  return html`
    <div id="connection-empty" class="empty">
      <p class="empty-title">${text("connection.none")}</p>
      ${mayCreate && html`<p id="connection-how">${text("connection.how")}</p>`}
      ${!mayCreate && html`<p id="connection-ask">${text("connection.ask")}</p>`}
      ${creation}
    </div>
  `;
}
