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

/**
 * @typedef {import("./api.js").RequestTest} RequestTest
 * @typedef {object} Outcome
 * @property {RequestTest | null} test that succeeded
 * @property {boolean} isRevealed whether it has people's data
 * @property {import("./api.js").Failure | null} failure
 * @property {RequestTest | null} failed request, if it was sent
 * @property {boolean} wasRevealing whether the failed request asked for people's data
 */

/** @type {Outcome} */
const NOTHING = { test: null, isRevealed: false, failure: null, failed: null, wasRevealing: false };

/**
 * @param {object} props
 * @param {any} props.subject what is requested, beside the button
 * @param {(reveal: boolean, signal: AbortSignal) => Promise<RequestTest>} props.send
 * @param {() => void} [props.onChooseSession] called when the reader wants to choose another session
 * @param {(test: RequestTest) => void} props.onSuccess
 * @param {() => void} props.onFailure
 */
export function TestRequest({ subject, send, onChooseSession, onSuccess, onFailure }) {
  const latest = useLatestRequest();
  const [open, setOpen] = useState(new Set());
  const [outcome, setOutcome] = useState(NOTHING);
  const { test, isRevealed, failure, failed } = outcome;

  function fail(failure, wasRevealing, failed = null) {
    setOutcome({ ...NOTHING, failure, failed, wasRevealing });
    onFailure();
  }

  function run(reveal) {
    return runRequest(
      async () => {
        const signal = latest.begin();
        setOutcome((before) => ({ ...before, failure: null, failed: null }));
        const result = await send(reveal, signal);
        if (!result.ok) return fail(result.failure, reveal, result);
        setOutcome({ ...NOTHING, test: result, isRevealed: reveal });
        onSuccess(result);
      },
      // If only people's data could not be read, the rest of the page stays.
      (failure) => (reveal ? setOutcome((before) => ({ ...before, failure, wasRevealing: true })) : fail(failure, reveal)),
    );
  }

  return html`
    <div id="request-work">
      <div class="selected">
        <p id="session-selected">${subject}</p>
        <${BusyButton} id="test-request" data-variant="primary" work=${() => run(false)}>${text("request.send")}<//>
      </div>
      <div id="request-summary" role="status">
        ${test && html`<p class="summary"><${RequestSummary} test=${test} /></p>`}
      </div>
      <div id="request-trouble" role="alert">
        ${failure && html`
          <${FailureCallout}
            failure=${failure}
            request=${failed && html`<${RequestSummary} test=${failed} />`}
            onRetry=${() => run(outcome.wasRevealing)}
            onChooseSession=${onChooseSession}
          />
        `}
      </div>
      ${test && html`
        <${RequestResult}
          test=${test}
          isRevealed=${isRevealed}
          open=${open}
          onToggle=${setOpen}
          onReveal=${() => run(!isRevealed)}
        />
      `}
    </div>
  `;
}
