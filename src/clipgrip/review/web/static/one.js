// One image at a time.
import { at, element, get, named, outbox, post, read, remember, root, say, thumb, toast, token, undo } from "./core.js";
import { keyed, once } from "./keys.js";
import { open, trueSize, zoomBy } from "./zoom.js";

const page = read("page");
const audit = page.queue === "audit";
const images = page.images;
const seen = new Set(images.map((one) => one.image));
const answered = new Map();
let place = 0;
let left = page.left;
let began = 0;
let loading = null;
const looks = [];

const now = () => images[place];

function show() {
  const one = now();
  at("left").textContent = say("{n} left", { n: left });
  at("done").textContent = say("{n} answered on this visit", { n: answered.size });
  const sorted = [...looks].sort((a, b) => a - b);
  at("pace").textContent = sorted.length ? say("{seconds} s an image", { seconds: sorted[sorted.length >> 1].toFixed(1) }) : "";
  const goal = at("goal");
  if (goal) {
    const given = Number(goal.dataset.now) + answered.size;
    goal.textContent = say("{now} answered; if all are right, the model may decide more at about {n}.", { now: given, n: goal.dataset.n });
  }
  at("stage").classList.toggle("nothing", !one);
  at("name").textContent = one ? one.path : loading ? "…" : say("Nothing is left here.");
  if (!one) {
    return;
  }
  at("state").textContent = answered.has(one.image) ? `✓ ${answered.get(one.image)}` : "";
  if (at("image").dataset.image !== one.image) {
    began = 0;
    at("image").alt = one.name;
    open(one.image);
  }
  const following = images[place + 1];
  if (following) new Image().src = `${root}/image/${following.image}`;
  if (!audit) propose(one);
}

function propose(one) {
  at("proposed").textContent = one.proposed;
  at("confidence").textContent = one.confidence.toFixed(2);
  at("second").textContent = one.second;
  at("said").replaceChildren(...one.said.map((text) => element("li", "name", text)));
  examples(one.class);
}

function examples(klass) {
  at("example-name").textContent = page.classes.find((one) => one.id === klass)?.name ?? "";
  at("examples").replaceChildren(...(page.examples[klass] ?? []).map((image) => thumb(image)));
}

at("image").addEventListener("load", () => { began ||= performance.now(); });
at("image").addEventListener("error", () => {
  if (now()) toast(say("The file is gone or cannot be shown."), true);
});

function answer(verdict, klass = null) {
  const one = now();
  if (!one || klass === 0 || !named()) return;  // an audited image hides what the model says
  const seconds = began ? (performance.now() - began) / 1000 : 0;
  const given = { token: token(), image: one.image, verdict, klass, purpose: page.purpose, seconds: Math.min(seconds, 86400) };
  if (began) looks.push(seconds);
  const texts = { unsure: say("cannot tell"), ask: say("second opinion") };
  const name = texts[verdict] ?? page.classes.find((other) => other.id === klass).name;
  if (!answered.has(one.image)) left = Math.max(0, left - 1);
  answered.set(one.image, name);
  remember([{ token: given.token, image: one.image }]);
  toast(say("saving …"));
  outbox.add([given]);
  move(1);
}

document.addEventListener("saved", () => toast(`✓ ${say("saved")}`));
document.addEventListener("refused", () => { move(-1); });

function move(by) {
  place = Math.max(0, Math.min(images.length, place + by));
  if (images.length - place < 8) fetchMore();
  show();
}

function fetchMore() {
  let known = 0;
  loading ??= outbox.flush().then(() => {
    known = answered.size;
    const query = new URLSearchParams({ queue: page.queue, n: "60" });
    if (page.klass !== null) query.set("class", String(page.klass));
    return get(`/api/next?${query}`);
  }).then((told) => {
    const fresh = told.images.filter((one) => !seen.has(one.image));
    for (const one of fresh) seen.add(one.image);
    const empty = !now();
    images.push(...fresh);
    left = Math.max(0, told.left - (answered.size - known));
    if (fresh.length) loading = null;
    else setTimeout(() => { loading = null; if (!now()) show(); }, 2000);
    if (empty) show();
  }).catch(() => setTimeout(() => { loading = null; if (images.length - place < 8) fetchMore(); }, 2000));
}

async function takeBack() {
  const step = await undo();
  if (!step) return;
  const found = images.findIndex((one) => one.image === step[0].image);
  for (const one of step) if (answered.delete(one.image)) left += 1;
  if (found >= 0) {
    place = found;
    show();
  } else location.href = `${root}/one?queue=${page.queue}&image=${step[0].image}`;
}

const KEYS = {
  0: () => answer("unsure"),
  z: takeBack,
  "+": () => zoomBy(1.5),
  "=": () => zoomBy(1.5),
  ";": () => zoomBy(1.5),
  "-": () => zoomBy(1 / 1.5),
  "/": trueSize,
  arrowleft: () => move(-1),
};
const FREE = {
  b: () => answer("ask"),
  s: () => move(1),
  arrowright: () => move(1),
};

keyed((key, event) => {
  if (key in page.keys) return () => answer("class", page.keys[key]);
  if (key in KEYS) return KEYS[key];
  if (audit) return key === "arrowright" && now() && answered.has(now().image) ? () => move(1) : null;
  if (key === "enter" && !event.target.closest("button, a") && now()) return () => answer("class", now().class);
  return FREE[key];
});

for (const button of document.querySelectorAll("#choices [data-class]")) {
  const klass = Number(button.dataset.class);
  button.addEventListener("click", once(() => { answer("class", klass); button.blur(); }));
  if (!audit) {
    button.addEventListener("pointerenter", () => examples(klass));
    button.addEventListener("focus", () => examples(klass));
    button.addEventListener("pointerleave", () => now() && examples(now().class));
  }
}
for (const button of document.querySelectorAll("#choices [data-verdict]")) {
  button.addEventListener("click", once(() => { answer(button.dataset.verdict); button.blur(); }));
}
at("right")?.addEventListener("click", once(() => now() && answer("class", now().class)));
at("undo").addEventListener("click", once(takeBack));
at("skip")?.addEventListener("click", () => move(1));

const draw = at("draw");
function shown() {
  for (const part of draw.querySelectorAll("[data-for]")) {
    part.hidden = !part.dataset.for.split(" ").includes(draw.kind.value);
  }
}
draw?.addEventListener("change", shown);
draw?.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!named()) return;
  await outbox.flush();
  const ok = [...draw.querySelectorAll('[name="ok[]"]:checked')].map((box) => Number(box.value));
  const body = { kind: draw.kind.value, ok, max_error: Number(draw.error.value), confidence: Number(draw.confidence.value), planned: Number(draw.planned.value), plan: Number(draw.plan?.value) || null };
  try {
    await post("/api/draw", body);
    location.reload();
  } catch (error) {
    toast(error.message, true);
  }
});
if (draw) shown();
show();
named();
