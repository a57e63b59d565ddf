/** Templates. Values of the API become text nodes and attributes only: a session may be called "<img onerror=…>". */

import htm from "./htm.js";
import { h } from "./preact.js";

export const html = htm.bind(h);
