/** The parts of the page, and what each tells the others. */

import { listWorkflows, testRequest } from "./api.js";
import { useConnectionList } from "./connection_list.js";
import { ConnectionPart } from "./connection_part.js";
import { useFocus } from "./focus.js";
import { html } from "./html.js";
import { Part } from "./part.js";
import { useEffect, useState } from "./preact_hooks.js";
import { readSelection, watchSelection, writeSelection } from "./selection.js";
import { SessionSearch } from "./session_search.js";
import { TestRequest } from "./test_request.js";
import { text } from "./texts.js";
import { WatchedPart } from "./watched_part.js";
import { WorkflowPart } from "./workflow_part.js";

export function App() {
  const [selection, setSelection] = useState(readSelection);
  /** What is known of the selected session: its name, what the page shows of it, whether its test request failed. */
  const [session, setSession] = useState({ name: "", title: "", isFailed: false });
  /** Another object whenever the search for sessions starts anew. */
  const [opened, setOpened] = useState({});
  const [notFound, setNotFound] = useState("");
  const [kind, setKind] = useState("");
  const focus = useFocus();
  const connections = useConnectionList(openFirst);
  const connection = connections.list ? selection.connection : "";

  useEffect(() => watchSelection(followAddress));
  useEffect(() => {
    if (connections.list) document.documentElement.dataset.ready = "true";
  }, [connections.list]);

  /** @param {import("./api.js").ConnectionList} list */
  function openFirst({ connections: all, preselected }) {
    const wanted = selection.connection;
    const exists = all.some(({ id }) => id === wanted);
    setNotFound(wanted && !exists ? wanted : "");
    openConnection(exists ? wanted : (preselected ?? ""), selection);
  }

  /** @param {string} id empty if there is none @param {import("./selection.js").Selection} before */
  function openConnection(id, before) {
    // The session of a link belongs to the connection of the link.
    const kept = !before.connection || before.connection === id ? before.session : "";
    change({ connection: id, session: kept }, "", Boolean(id));
    setOpened({});
  }

  /** @param {import("./selection.js").Selection} next @param {string} name of the session, if it is known */
  function change(next, name, isWritten = true) {
    setSelection(next);
    setSession({ name, title: name.trim(), isFailed: false });
    if (isWritten) writeSelection(next);
  }

  /** The reader changed the address. */
  function followAddress() {
    const wanted = readSelection();
    if (wanted.connection === selection.connection && wanted.session === selection.session) return;
    const exists = connections.list?.connections.some(({ id }) => id === wanted.connection);
    if (exists) openConnection(wanted.connection, wanted);
    else writeSelection(selection);
  }

  /** @param {{id: string, name?: string}} one */
  function selectSession({ id, name = "" }) {
    if (id !== selection.session) change({ ...selection, session: id }, name);
    focus("test-request");
  }

  function showWorkflow() {
    setKind("events");
    focus("events-tab", "search");
  }

  const id = selection.session;
  const name = session.title && html`<strong>${session.title}</strong>`;
  const subject = html`${name}${!session.title.includes(id) && html`<code>${id}</code>`}`;
  return html`
    <${ConnectionPart}
      connections=${connections}
      selected=${connection}
      notFound=${notFound}
      onSelect=${(one) => openConnection(one, selection)}
    />
    <${Part} number=${2} id="session" title=${text("session.title")}>
      ${!connection && html`<p id="session-hint" class="quiet">${text("session.choose_connection")}</p>`}
      ${connection && html`
        <${SessionSearch}
          connection=${connection}
          selected=${id}
          opened=${opened}
          onSelect=${selectSession}
          onFind=${({ name }) => setSession((before) => ({ ...before, title: name.trim() }))}
        />
      `}
    <//>
    <${Part} number=${3} id="request" title=${text("request.title")}>
      ${!id && html`<p id="request-hint" class="quiet">${text("request.choose_session")}</p>`}
      ${connection && id && html`
        <${TestRequest}
          key=${`${connection} ${id}`}
          subject=${subject}
          send=${(reveal, signal) => testRequest(connection, id, reveal, signal)}
          onChooseSession=${() => focus("search")}
          onSuccess=${({ title }) => setSession((before) => ({ ...before, title: before.title || title, isFailed: false }))}
          onFailure=${() => setSession((before) => ({ ...before, isFailed: true }))}
        />
      `}
    <//>
    <${WorkflowPart}
      subject=${connection && id && `${connection} ${id}`}
      isWithdrawn=${session.isFailed}
      load=${(signal) => listWorkflows(connection, id, session.name, signal)}
      kind=${kind}
      onSelect=${setKind}
    />
    <${WatchedPart} onShowWorkflow=${showWorkflow} />
  `;
}
