// Many images at a time.
import { at, named, outbox, read, remember, root, say, toast, token, undo } from "./core.js";
import { keyed, once } from "./keys.js";

const page = read("page");
const cards = [...document.querySelectorAll(".card")];
const byImage = new Map(cards.map((card) => [card.dataset.image, card]));
const names = new Map(page.classes.map((one) => [one.id, one.name]));
let focus = 0;
let anchor = 0;
let left = page.left;
let since = performance.now();
const pending = new Map();

const open = (card) => !card.classList.contains("answered") && !card.classList.contains("skipped");
const selected = () => cards.filter((card) => card.getAttribute("aria-selected") === "true");

function select(card, yes) {
  card.setAttribute("aria-selected", String(yes && open(card)));
}

function show() {
  const n = selected().length;
  at("selected").textContent = n ? say("{n} selected", { n }) : "";
  at("left").textContent = say("{n} left", { n: left });
}

function go(to, extend = false) {
  if (!cards.length) return;
  cards[focus].tabIndex = -1;
  focus = Math.max(0, Math.min(cards.length - 1, to));
  cards[focus].tabIndex = 0;
  cards[focus].focus();
  cards[focus].scrollIntoView({ block: "nearest" });
  if (extend) range();
  else anchor = focus;
}

function range() {
  const [low, high] = [Math.min(anchor, focus), Math.max(anchor, focus)];
  cards.forEach((card, n) => select(card, n >= low && n <= high));
  show();
}

function columns() {
  const top = cards[0]?.offsetTop;
  const n = cards.findIndex((card) => card.offsetTop !== top);
  return n > 0 ? n : cards.length;
}

function next() {
  const after = cards.findIndex((card, n) => n >= focus && open(card));
  const any = after >= 0 ? after : cards.findIndex(open);
  if (any >= 0) go(any);
  else more();
}

function targets() {
  const chosen = selected();
  return chosen.length ? chosen : cards.slice(focus, focus + 1).filter(open);
}

function answer(choose) {
  if (!named()) return;
  // an audited image hides what the model says, so nobody can say that it is right
  const chosen = targets().filter((card) => choose(card).klass !== 0);
  if (!chosen.length) return;
  const seconds = (performance.now() - since) / 1000 / chosen.length;
  since = performance.now();
  const answers = chosen.map((card) => ({
    token: token(), image: card.dataset.image, purpose: page.purpose, seconds: Math.min(seconds, 86400), ...choose(card),
  }));
  for (const one of answers) {
    const card = byImage.get(one.image);
    mark(card, one);
    pending.set(one.token, card);
  }
  remember(answers.map(({ token, image }) => ({ token, image })));
  left -= answers.length;
  outbox.add(answers);
  show();
  next();
}

function mark(card, one) {
  select(card, false);
  card.classList.add("answered", "pending");
  const place = card.querySelector(".answer");
  place.hidden = false;
  place.className = `answer name ${one.verdict}`;
  const text = { unsure: `△ ${say("cannot tell")}`, ask: `? ${say("second opinion")}` };
  const right = one.klass === Number(card.dataset.class);
  place.textContent = text[one.verdict] ?? `${right ? "○" : "→"} ${names.get(one.klass)}`;
}

document.addEventListener("saved", ({ detail }) => {
  for (const one of detail) pending.get(one)?.classList.remove("pending");
  toast(`✓ ${say("saved")}`);
});
document.addEventListener("refused", ({ detail }) => {
  for (const one of detail) if (pending.has(one)) reopen(pending.get(one));
});

function reopen(card) {
  card.classList.remove("answered", "pending", "skipped");
  card.querySelector(".answer").hidden = true;
  left += 1;
  show();
}

const isClass = (klass) => () => ({ verdict: "class", klass });
const isVerdict = (verdict) => () => ({ verdict, klass: null });
const isRight = (card) => ({ verdict: "class", klass: Number(card.dataset.class) });

async function takeBack() {
  const step = await undo();
  for (const one of step ?? []) if (byImage.has(one.image)) reopen(byImage.get(one.image));
  const first = step && cards.indexOf(byImage.get(step[0].image));
  if (first >= 0) go(first);
}

function skip() {
  for (const card of targets()) {
    select(card, false);
    card.classList.add("skipped");
  }
  show();
  next();
}

async function more() {
  await outbox.flush();
  const query = new URLSearchParams(location.search);
  const stay = cards.filter((card) => card.classList.contains("skipped") || open(card)).length;
  query.set("skip", String(Number(query.get("skip") ?? 0) + stay));
  location.search = query;
}

cards.forEach((card, n) => {
  card.addEventListener("click", (event) => {
    if (event.shiftKey) {
      go(n, true);
      return;
    }
    go(n);
    select(card, card.getAttribute("aria-selected") !== "true");
    show();
  });
  card.addEventListener("dblclick", () => large(card));
  card.querySelector("img").addEventListener("error", () => {
    card.classList.add("gone");
    card.title = say("The file is gone or cannot be shown.");
  });
});

async function large(card) {
  await outbox.flush();
  const query = new URLSearchParams(location.search);
  query.set("image", card.dataset.image);
  location.href = `${root}/one?${query}`;
}

const KEYS = {
  enter: () => answer(isRight),
  " ": () => cards[focus]?.click(),
  z: takeBack,
  s: skip,
  n: more,
  v: () => cards.length && large(cards[focus]),
  a: () => { cards.forEach((card) => select(card, true)); show(); },
  escape: () => { cards.forEach((card) => select(card, false)); show(); },
};

keyed((key, event) => {
  const moves = { arrowleft: -1, arrowright: 1, arrowup: -columns(), arrowdown: columns() };
  if (key in moves) return () => go(focus + moves[key], event.shiftKey);
  if (key in page.keys) return () => answer(isClass(page.keys[key]));
  if (key === "0") return () => answer(isVerdict("unsure"));
  if (key === "b") return () => answer(isVerdict("ask"));
  return event.target.closest("button, a") ? null : KEYS[key];
});

for (const button of document.querySelectorAll("#bar [data-class]")) {
  button.addEventListener("click", once(() => answer(isClass(Number(button.dataset.class)))));
}
for (const button of document.querySelectorAll("#bar [data-verdict]")) {
  button.addEventListener("click", once(() => answer(isVerdict(button.dataset.verdict))));
}
at("right").addEventListener("click", once(() => answer(isRight)));
at("undo").addEventListener("click", once(takeBack));
at("next")?.addEventListener("click", more);
at("queue").addEventListener("change", () => { location.href = `${root}/review?queue=${at("queue").value}`; });
at("n")?.addEventListener("change", () => {
  const query = new URLSearchParams(location.search);
  query.set("n", at("n").value);
  location.search = query;
});
show();
go(0);
named();
