/** Airflow around this page: its window, and the addresses of its pages. */

/** Airflow's window, if it shows this page; null if the page was opened on its own. */
export const airflow = findAirflow();

/**
 * The address of one of Airflow's pages.
 * @param {string} path relative to Airflow's own address; this page is one level below it
 */
export function address(path) {
  return `../${path}`;
}

/** The address of the login, which returns to this page. */
export function loginAddress() {
  const here = (airflow ?? window).location.href;
  return address(`api/v2/auth/login?next=${encodeURIComponent(here)}`);
}

/**
 * Let the links to Airflow's pages leave the frame.
 * Its sandbox allows neither target=_top nor new tabs, so the link is followed in Airflow's own document.
 */
export function leaveFrameOnLinks() {
  if (!airflow) return;
  for (const kind of ["click", "auxclick"]) document.addEventListener(kind, followOutside);
}

/** @param {MouseEvent} event */
function followOutside(event) {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  // The right button opens the browser's menu.
  if (!link || event.defaultPrevented || event.button === 2) return;
  event.preventDefault();
  const outside = airflow.document.createElement("a");
  outside.href = link.href;
  const isNewTab = link.target === "_blank" || event.button === 1;
  if (isNewTab || event.ctrlKey || event.metaKey || event.shiftKey) {
    outside.target = "_blank";
    outside.rel = "noopener";
  }
  airflow.document.body.append(outside);
  outside.click();
  outside.remove();
}

function findAirflow() {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    // The page around this one is of another origin, so it is not Airflow.
    return null;
  }
}
