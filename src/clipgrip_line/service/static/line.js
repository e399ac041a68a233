"use strict";
const texts = JSON.parse(document.getElementById("texts").textContent);
const SYMBOLS = { ok: "○", ng: "×", person: "△", class: "" };
const KEYS = "123456789bcdefghijklmnopqrstvwxyz";
const EVERY = 1000;
const FEW = 3;
const at = (id) => document.getElementById(id);
let line = null;
let queue = [];
let done = [];
let shownImage = "";

function put(id, text) {
  const one = at(id);
  if (one.textContent !== text) one.textContent = text;
}

function made(tag, text, kind) {
  const one = document.createElement(tag);
  one.textContent = text;
  if (kind) one.className = kind;
  return one;
}

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

function percent(share) {
  return (100 * share).toFixed(share > 0.999 && share < 1 ? 2 : 1) + "%";
}

async function asked(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  };
  const response = await fetch(path, options);
  const document_ = await response.json();
  if (!response.ok) throw new Error(document_.error || String(response.status));
  return document_;
}

function showLast(last) {
  at("last").className = last ? last.verdict : "empty";
  at("none").hidden = Boolean(last);
  at("verdict").hidden = !last;
  if (!last) return;
  put("symbol", SYMBOLS[last.verdict]);
  put("word", last.verdict === "class" ? "" : texts[last.verdict]);
  put("class", named(last.class));
  const about = [filled(texts.confidence, { share: percent(last.confidence) })];
  if (last.lot) about.push(texts.lot + " " + last.lot);
  if (last.serial) about.push(texts.serial + " " + last.serial);
  about.push(last.at.slice(11, 19));
  put("about", about.join(" · "));
  const picture = at("picture");
  if (shownImage !== last.image_id) {
    shownImage = last.image_id;
    picture.src = "v1/pictures/" + last.image_id;
    picture.hidden = false;
    at("unkept").hidden = true;
  }
  picture.alt = (texts[last.verdict] || "") + " " + named(last.class);
}

function showWatch(watch) {
  at("lamp").className = watch.light;
  put("light", watch.symbol);
  put("light-text", watch.sentence);
  const fallen = watch.promises.some((one) => one.withdrawn);
  const stands = watch.promises.length ? texts.promise_stands : texts.no_promise;
  put("promise", fallen ? texts.withdrawn : stands);
  at("alarm").hidden = !watch.alarm;
  if (watch.alarm) {
    put("alarm-what", watch.alarm.what + " – " + watch.alarm.since_when);
    put("alarm-advice", watch.alarm.advice);
    showPictures(watch.alarm);
  } else if (at("pictures").open) {
    at("pictures").close();
  }
}

function thumbs(images, open) {
  return images.map((image) => {
    const picture = document.createElement("img");
    picture.src = "v1/pictures/" + image;
    picture.alt = "";
    picture.addEventListener("error", () => picture.remove());
    if (!open) return picture;
    const item = document.createElement("li");
    item.append(picture);
    return item;
  });
}

function showPictures(alarm) {
  const key = String(alarm.number);
  at("compare").hidden = !(alarm.before.length || alarm.after.length);
  if (at("compare").dataset.key === key) return;
  at("compare").dataset.key = key;
  put("pictures-what", alarm.what);
  at("few-before").replaceChildren(...thumbs(alarm.before.slice(-FEW)));
  at("few-after").replaceChildren(...thumbs(alarm.after.slice(0, FEW)));
  at("before").replaceChildren(...thumbs(alarm.before, true));
  at("after").replaceChildren(...thumbs(alarm.after, true));
  at("compare").classList.toggle("one-sided", !alarm.before.length || !alarm.after.length);
}

function named(name) {
  return line.shown[name] || name;
}

function sums(shift) {
  const all = { ok: 0, ng: 0, person: 0, total: 0 };
  for (const counts of Object.values(shift.classes)) {
    for (const [verdict, n] of Object.entries(counts)) {
      if (verdict in all) all[verdict] += n;
      all.total += n;
    }
  }
  return all;
}

function showEarlier(shifts) {
  const body = shifts.map((shift) => {
    const all = sums(shift);
    return row(shift.shift, all, all.total);
  });
  at("earlier").hidden = !body.length;
  at("earlier-rows").replaceChildren(...body);
}

function showCounts(shift) {
  put("shift", shift.begins);
  const names = line.classes.filter((name) => shift.classes[name]);
  const rows = [...names, ...Object.keys(shift.classes).filter((name) => !line.classes.includes(name))];
  const body = [];
  for (const name of rows) {
    const counts = shift.classes[name];
    const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
    body.push(row(named(name), counts, total));
  }
  const all = sums(shift);
  body.unshift(row(texts.total, all, all.total, "sum"));
  at("rows").replaceChildren(...body);
}

function row(name, counts, total, kind) {
  const one = document.createElement("tr");
  if (kind) one.className = kind;
  const head = made("th", name);
  head.scope = "row";
  one.append(head);
  for (const n of [counts.ok, counts.ng, counts.person, total]) one.append(made("td", (n || 0).toLocaleString("en")));
  return one;
}

function showRecent(recent) {
  const items = recent.map((one) => {
    const item = made("li", "", one.verdict);
    const picture = document.createElement("img");
    picture.src = "v1/pictures/" + one.image_id;
    picture.alt = "";
    picture.addEventListener("error", () => { picture.remove(); item.classList.add("bare"); item.title = texts.gone; });
    item.append(picture, made("b", SYMBOLS[one.verdict]), made("span", named(one.class)));
    return item;
  });
  const key = recent.map((one) => one.number).join();
  if (at("strip").dataset.key !== key) {
    at("strip").dataset.key = key;
    at("strip").replaceChildren(...items);
  }
}

function show(found) {
  line = found;
  put("version", texts.version + " " + found.version);
  put("trouble", found.trouble);
  showLast(found.last);
  showWatch(found.watch);
  showCounts(found.shifts[0]);
  showEarlier(found.shifts.slice(1));
  showRecent(found.recent);
  put("waits", found.waiting.toLocaleString("en"));
  at("answer-now").disabled = found.waiting === 0;
  put("shadow", found.shadow_sentence);
}

async function look() {
  try {
    show(await asked("v1/line"));
    document.body.classList.remove("lost");
  } catch {
    document.body.classList.add("lost");
    put("trouble", texts.lost);
  }
  setTimeout(look, EVERY);
}

function token() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
}

async function openPeople() {
  if (!line || line.waiting === 0) return;
  await refill();
  if (!queue.length) return;
  at("line").hidden = true;
  at("people").hidden = false;
  showAsked();
}

async function refill() {
  const known = new Set(done.map((one) => one.image));
  const found = await asked("v1/waiting");
  queue = found.waiting.filter((one) => !known.has(one.image));
}

function closePeople() {
  at("people").hidden = true;
  at("line").hidden = false;
}

function showAsked() {
  const one = queue[0];
  if (!one) {
    closePeople();
    return;
  }
  at("asked").src = "v1/pictures/" + one.image;
  at("gone").hidden = true;
  put("why", one.why === "audit" ? texts.why_audit : texts.why_promise);
  const says = one.class && filled(texts.model_says, { name: named(one.class), share: percent(one.confidence) });
  put("thinks", says || "");
  put("left", filled(texts.left, { n: queue.length }));
  const buttons = line.classes.map((name, place) => {
    const button = made("button", named(name) + " ");
    button.type = "button";
    if (KEYS[place]) button.append(made("kbd", KEYS[place].toUpperCase()));
    button.addEventListener("click", () => said(name));
    return button;
  });
  at("choices").replaceChildren(...buttons);
}

async function said(name) {
  const one = queue[0];
  if (!one) return;
  one.token = one.token || token();
  const body = { image: one.image, class: name, by: at("by").value, token: one.token };
  try {
    await asked("v1/answers", body);
  } catch {
    put("left", texts.not_kept);
    return;
  }
  done.push(one);
  queue.shift();
  at("undo").disabled = false;
  if (!queue.length) await refill();
  showAsked();
}

async function undo() {
  const one = done[done.length - 1];
  if (!one) return;
  try {
    await asked("v1/answers/undo", { token: one.token });
  } catch {
    put("left", texts.not_kept);
    return;
  }
  done.pop();
  queue.unshift({ ...one, token: "" });
  at("undo").disabled = !done.length;
  showAsked();
}

function keyed(event) {
  if (event.target.matches("input") || at("pictures").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (at("people").hidden) {
    if (key === "a") openPeople();
    return;
  }
  const place = KEYS.indexOf(key);
  if (key === "escape") closePeople();
  else if (key === "0") said("");
  else if (key === "u") undo();
  else if (place >= 0 && place < line.classes.length) said(line.classes[place]);
  else return;
  event.preventDefault();
}

async function respond(verdict) {
  try {
    await asked("v1/alarms/answer", { verdict, note: at("note").value, by: at("by").value });
    at("note").value = "";
  } catch (error) {
    put("trouble", error.message);
  }
}

at("by").value = localStorage.getItem("clipgrip_by") || "";
at("by").addEventListener("change", () => localStorage.setItem("clipgrip_by", at("by").value));
at("picture").addEventListener("error", () => { at("picture").hidden = true; at("unkept").hidden = false; });
at("asked").addEventListener("error", () => { at("gone").hidden = false; });
at("answer-now").addEventListener("click", openPeople);
at("unsure").addEventListener("click", () => said(""));
at("undo").addEventListener("click", undo);
at("compare").addEventListener("click", () => at("pictures").showModal());
at("close").addEventListener("click", () => at("pictures").close());
at("back").addEventListener("click", closePeople);
for (const language of ["en", "ja"]) {
  at(language).setAttribute("aria-pressed", String(document.documentElement.lang === language));
  at(language).addEventListener("click", () => location.assign("./?lang=" + language));
}
for (const button of document.querySelectorAll("[data-verdict]")) {
  button.addEventListener("click", () => respond(button.dataset.verdict));
}
document.addEventListener("keydown", keyed);
look();
