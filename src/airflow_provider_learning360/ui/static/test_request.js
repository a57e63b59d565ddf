/** The button that sends a test request, and what came back. */

import { runRequest } from "./api.js";
import { BusyButton } from "./busy_button.js";
import { FailureCallout } from "./callout.js";
import { html } from "./html.js";
import { useLatestRequest } from "./latest_request.js";
import { useState } from "./preact_hooks.js";
import { RequestResult } from "./request_result.js";
import { RequestSummary } from "./request_summary.js";
import { text } from "./texts.js";
import { UnsentRequest } from "./unsent_request.js";

/**
 * @typedef {import("./api.js").OperationTest} OperationTest
 * @typedef {object} Outcome
 * @property {OperationTest | null} test that succeeded
 * @property {boolean} isRevealed whether it has people's data
 * @property {import("./api.js").Failure | null} failure
 * @property {OperationTest | null} failed request, if it was sent
 * @property {boolean} wasRevealing whether the failed request asked for people's data
 */

/** @type {Outcome} */
const NOTHING = { test: null, isRevealed: false, failure: null, failed: null, wasRevealing: false };

/**
 * @param {object} props
 * @param {any} props.subject what is requested, beside the button
 * @param {(reveal: boolean, signal: AbortSignal) => Promise<OperationTest>} props.send
 * @param {Record<string, () => void>} props.actions what the reader can do after a failure
 * @param {(test: OperationTest) => void} props.onSuccess
 * @param {(problems: import("./api.js").Problem[]) => void} props.onFailure called with what is wrong with arguments
 * @param {string[]} props.picked paths of the picked fields
 * @param {(path: string) => void} props.onPick
 * @param {boolean} props.isSession whether the answer is a session
 */
export function TestRequest({ subject, send, actions, onSuccess, onFailure, picked, onPick, isSession }) {
  const latest = useLatestRequest();
  const [open, setOpen] = useState(new Set());
  const [outcome, setOutcome] = useState(NOTHING);
  const { test, isRevealed, failure, failed } = outcome;
  const unsent = test?.would_send;

  function fail(failure, problems, failed = null) {
    setOutcome({ ...NOTHING, failure, failed });
    onFailure(problems);
  }

  /** If only people's data could not be read, the rest of the page stays. */
  function failToReveal(failure) {
    setOutcome((before) => ({ ...before, failure, wasRevealing: true }));
  }

  function run(reveal) {
    return runRequest(
      async () => {
        const signal = latest.begin();
        setOutcome((before) => ({ ...before, failure: null, failed: null }));
        const result = await send(reveal, signal);
        if (!result.ok) return fail(result.failure, [], result);
        setOutcome({ ...NOTHING, test: result, isRevealed: reveal });
        onSuccess(result);
      },
      (failure, problems) => (reveal ? failToReveal(failure) : fail(failure, problems)),
    );
  }

  return html`
    <div id="request-work">
      <div class="selected">
        <p id="session-selected">${subject}</p>
        <${BusyButton} id="test-request" data-variant="primary" work=${() => run(false)}>${text("request.send")}<//>
      </div>
      <div id="request-summary" role="status">
        ${test && !unsent && html`<p class="summary"><${RequestSummary} test=${test} /></p>`}
        ${unsent && html`<p class="summary"><span class="badge" data-kind="warning">${text("request.not_sent")}</span></p>`}
      </div>
      <div id="request-trouble" role="alert">
        ${failure && html`
          <${FailureCallout}
            failure=${failure}
            request=${failed && html`<${RequestSummary} test=${failed} />`}
            onRetry=${() => run(outcome.wasRevealing)}
            actions=${actions}
          />
        `}
      </div>
      ${unsent && html`<${UnsentRequest} test=${test} />`}
      ${test && !unsent && html`
        <${RequestResult}
          test=${test}
          isRevealed=${isRevealed}
          open=${open}
          onToggle=${setOpen}
          onReveal=${() => run(!isRevealed)}
          picked=${picked}
          onPick=${onPick}
          isSession=${isSession}
        />
      `}
    </div>
  `;
}
