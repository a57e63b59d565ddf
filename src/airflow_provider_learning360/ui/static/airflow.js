/** Airflow around this page: its window, and the ways to its own pages. */

/** Airflow's window, if the page is shown inside it; null if it was opened on its own. */
export const airflow = around();

/**
 * The address of one of Airflow's pages.
 * @param {string} path relative to Airflow's own address; this page is one level below it
 */
export function address(path) {
  return `../${path}`;
}

/** The address that brings the reader back here after the login. */
export function loginAddress() {
  const back = (airflow ?? window).location.href;
  return address(`api/v2/auth/login?next=${encodeURIComponent(back)}`);
}

/**
 * Have the links to Airflow's pages leave the frame.
 * Its sandbox allows neither target=_top nor new tabs, so the link is followed in Airflow's own document.
 */
export function leaveFrameOnLinks() {
  if (!airflow) return;
  for (const kind of ["click", "auxclick"]) document.addEventListener(kind, leave);
}

/** @param {MouseEvent} event */
function leave(event) {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  // The right button is for the browser's menu.
  if (!link || event.defaultPrevented || event.button === 2) return;
  event.preventDefault();
  const outside = airflow.document.createElement("a");
  outside.href = link.href;
  if (event.button === 1 || event.ctrlKey || event.metaKey || event.shiftKey) {
    outside.target = "_blank";
    outside.rel = "noopener";
  }
  airflow.document.body.append(outside);
  outside.click();
  outside.remove();
}

function around() {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    // A page of another origin is not Airflow.
    return null;
  }
}
