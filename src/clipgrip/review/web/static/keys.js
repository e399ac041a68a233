// Which key was meant, on any keyboard and with any input method, and whether it was pressed anew.
import { say, toast, typing } from "./core.js";

// Milliseconds within which the same key again is no press of a person: a worn switch bounces, and a remote desktop
// repeats a held key as presses of their own.
const BOUNCE = 80;
// A key whose release was never heard (another window had the keyboard) may be pressed again after this time.
const FORGOTTEN = 1000;
// Moving and zooming go on while the key is held; whatever answers, takes back or leaves the page does not.
const HELD = new Set(["arrowleft", "arrowright", "arrowup", "arrowdown", "+", "-", ";", "="]);
const UNREADABLE = new Set(["", "process", "unidentified", "dead"]);
const PLACES = { Minus: "-", Equal: "+", NumpadSubtract: "-", NumpadAdd: "+", Space: " ", NumpadEnter: "enter" };
const NAMED = /^(Enter|Escape|Arrow(Left|Right|Up|Down))$/;

function placed(code) {
  if (NAMED.test(code)) return code.toLowerCase();
  return (/^(?:Digit|Numpad|Key)([0-9A-Z])$/.exec(code)?.[1] ?? PLACES[code] ?? "").toLowerCase();
}

// The character of the key where it is one of the page's (full-width ones are folded), else its place on the keyboard.
export function keyOf(event) {
  const key = (event.key ?? "").normalize("NFKC").toLowerCase();
  const row = /^Digit(\d)$/.exec(event.code)?.[1];
  if (row && !event.shiftKey && !UNREADABLE.has(key) && !/^\d$/.test(key)) return row;  // AZERTY: & é " ' ( -
  if (/^[ -~]$/.test(key) || (key.length > 1 && !UNREADABLE.has(key))) return key;
  return placed(event.code);
}

const composing = (event) => event.isComposing || event.key === "Process" || event.keyCode === 229;
// A key that confirms a word of an input method is not meant for the page.
export const confirms = (event) => event.key === "Enter" && !event.repeat && !composing(event);

let last = { code: "", at: -Infinity, down: false };
let anew = true;

window.addEventListener("keydown", (event) => {
  const code = event.code || event.key;
  const pause = code === last.code ? event.timeStamp - last.at : Infinity;
  anew = !event.repeat && pause >= (last.down ? FORGOTTEN : BOUNCE);
  last = { code, at: event.timeStamp, down: true };
  if (!anew && /Enter|Space/.test(code) && event.target.closest?.("button, a, summary")) event.preventDefault();
}, true);
window.addEventListener("keyup", (event) => {
  if ((event.code || event.key) === last.code) last = { ...last, at: event.timeStamp, down: false };
}, true);
window.addEventListener("blur", () => { last.down = false; });

// Calls what `find` gives for a key, once for each press.
export function keyed(find) {
  document.addEventListener("keydown", (event) => {
    if (typing(event)) return;
    const key = keyOf(event);
    if (!key && composing(event)) toast(say("An input method is on, so the key cannot be read. Switch it off, or click."), true);
    const act = key && find(key, event);
    if (!act) return;
    event.preventDefault();
    if (anew || HELD.has(key)) act();
  });
}

// The second click of a double click is a habit, not an answer about the next image.
const TWICE = 300;
let clicked = -Infinity;
export function once(act) {
  return (event) => {
    const again = event.detail > 1 && event.timeStamp - clicked < TWICE;
    clicked = event.timeStamp;
    if (!again) act(event);
  };
}
