// What every page needs: words, posting, answers that are sent until the server has them, name and language.

import { filled } from "./words.js";

export const read = (id) => JSON.parse(document.getElementById(id).textContent);
const words = read("words");
const meta = (name) => document.querySelector(`meta[name=${name}]`).content;
// What stands before every path, where a reverse proxy offers the page below a path of its own.
export const root = meta("root");
export const at = (id) => document.getElementById(id);

export const say = (text, values = {}) => filled(words[text] ?? text, values);

export class Refused extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

export async function post(path, body, raw = false) {
  const response = await fetch(root + path, {
    method: "POST",
    headers: { "content-type": raw ? "application/octet-stream" : "application/json", "x-csrf-token": meta("csrf") },
    body: raw ? body : JSON.stringify(body ?? {}),
  });
  return answer(response);
}

async function answer(response) {
  if (response.ok) return response.json();
  const text = await response.text();
  let sentence = text;
  try { sentence = JSON.parse(text).error; } catch { /* plain text */ }
  if (response.status >= 500) throw new Error(sentence);
  throw new Refused(sentence, response.status);
}

export async function get(path) {
  return answer(await fetch(root + path));
}

let fading;
export function toast(text, bad = false) {
  const place = at("toast");
  place.textContent = text;
  place.className = bad ? "bad" : "";
  clearTimeout(fading);
  if (!bad) fading = setTimeout(() => { place.textContent = ""; }, 3000);
}

export const token = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

// Answers wait until the server knows the name that stands beside them.
let naming = Promise.resolve();

// Answers wait here, in the browser's own storage, until the server says that they are on its disk. Sending twice is
// harmless: each has a token.
export const PREFIX = `clipgrip:${meta("review")}:`;
const HERE = PREFIX + token();
const MOST = 500;
const STALE = new Set([401, 403]);  // not the answers are wrong, but the page

class Outbox {
  constructor() {
    this.waiting = [];
    this.sending = null;
    for (const key of Object.keys(localStorage).filter((key) => key.startsWith(PREFIX))) {
      this.waiting.push(...JSON.parse(localStorage.getItem(key)));
      localStorage.removeItem(key);
    }
    this.keep();
    if (this.waiting.length) this.flush();
  }

  keep() {
    if (this.waiting.length) localStorage.setItem(HERE, JSON.stringify(this.waiting));
    else localStorage.removeItem(HERE);
  }

  add(answers) {
    this.waiting.push(...answers);
    this.keep();
    return this.flush();
  }

  flush() {
    if (this.waiting.length) this.sending ??= this.send();
    return this.sending ?? Promise.resolve();
  }

  async send() {
    let size = MOST;
    try {
      while (this.waiting.length) {
        const batch = this.waiting.slice(0, size);
        const tokens = new Set(batch.map((answer) => answer.token));
        await naming;
        try {
          await post("/api/answers", { answers: batch });
          this.drop(tokens);
          document.dispatchEvent(new CustomEvent("saved", { detail: tokens }));
          this.banner("");
        } catch (error) {
          if (error instanceof Refused && STALE.has(error.status)) {
            this.banner(say("{n} not saved: this page is too old. They are kept in this browser; reload the page.", { n: this.waiting.length }));
            return;
          }
          if (error instanceof Refused && batch.length > 1) {
            size = 1;  // one of them is refused: the others shall not go with it
          } else if (error instanceof Refused) {
            size = MOST;
            this.drop(tokens);
            document.dispatchEvent(new CustomEvent("refused", { detail: tokens }));
            toast(say("refused: {why}", { why: error.message }), true);
          } else {
            this.banner(say("{n} not saved yet: the server does not answer. They are kept in this browser and sent again.", { n: this.waiting.length }));
            await new Promise((done) => setTimeout(done, 800));
          }
        }
      }
    } finally {
      this.sending = null;  // at once: an answer given in the next moment finds nobody sending
    }
  }

  drop(tokens) {
    this.waiting = this.waiting.filter((answer) => !tokens.has(answer.token));
    this.keep();
  }

  banner(text) {
    at("banner").textContent = text;
    at("banner").hidden = !text;
  }
}

export const outbox = new Outbox();

// Undo: the last answers first, also after the page was loaded again.
const STEPS = PREFIX + "steps";
export const steps = JSON.parse(sessionStorage.getItem(STEPS) ?? "[]");
export function remember(step) {
  steps.push(step);
  if (steps.length > 200) steps.shift();
  sessionStorage.setItem(STEPS, JSON.stringify(steps));
}

export async function undo() {
  const step = steps.pop();
  sessionStorage.setItem(STEPS, JSON.stringify(steps));
  if (!step) {
    toast(say("nothing to take back"));
    return null;
  }
  try {
    await outbox.flush();
    const told = await post("/api/undo", { tokens: step.map((one) => one.token) });
    toast(say(told.undone.length ? "taken back" : "nothing to take back"));
    return step;
  } catch (error) {
    steps.push(step);
    sessionStorage.setItem(STEPS, JSON.stringify(steps));
    toast(error.message, true);
    return null;
  }
}

// Who answers, and in which language.
const who = at("who");
export let person = meta("person");
function ask() {
  at("who-name").value = person;
  who.showModal();
  at("who-name").select();
}

export function named() {
  if (person) return true;
  if (!who.open) ask();
  return false;
}

who.addEventListener("close", () => {
  const name = at("who-name").value.trim();
  if (!name || name === person) return;
  person = name;
  at("person").textContent = name;
  naming = post("/api/choice", { person: name }).catch((error) => toast(error.message, true));
});
at("person").addEventListener("click", ask);
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", async () => {
    await outbox.flush();
    await post("/api/choice", { language: button.dataset.language });
    location.reload();
  });
}

export const typing = (event) => event.ctrlKey || event.metaKey || event.altKey || who.open
  || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);

export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

export function thumb(image, title = "") {
  const made = element("img");
  made.src = `${root}/thumb/${image}`;
  made.alt = title;
  made.title = title;
  return made;
}

document.documentElement.dataset.ready = "yes";
