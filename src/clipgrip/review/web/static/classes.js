// Names, words for the model, merging, splitting.
import { at, element, named, post, PREFIX, say, thumb, toast } from "./core.js";
import { confirms } from "./keys.js";

const parts = (row) => (row.querySelector(".parts")?.value ?? "").split("\n").map((name) => name.trim()).filter(Boolean);
const into = (row) => row.querySelector(".into");

// What each change that cannot be taken back does, in the reader's words.
const ASKED = {
  merge: (row, values) => say("Merge “{klass}” into “{into}”? Its {n} answers count for “{into}” from now on. A merger cannot be undone.", { ...values, into: into(row).selectedOptions[0]?.text }),
  split: (row, values) => say("Split “{klass}” into {names}? What was answered with “{klass}” becomes invalid ({n} answers), and comes back for review. A split cannot be undone.", { ...values, names: parts(row).join(say(", ")) }),
  remove: (row, values) => say("Take “{klass}” away? What was answered with this class becomes invalid ({n} answers), and comes back for review. A class that was taken away does not come back.", values),
};

// What was typed and not kept yet stays in this tab, also when another change loads the page again.
const DRAFTS = `${PREFIX}drafts`;
const drafts = new Map(Object.entries(JSON.parse(sessionStorage.getItem(DRAFTS) ?? "{}")));
const place = (field) => `${field.closest("tr").dataset.class} ${field.classList[0]}`;

function draft(field) {
  if (field.value === field.defaultValue) drafts.delete(place(field));
  else drafts.set(place(field), { was: field.defaultValue, is: field.value });
  sessionStorage.setItem(DRAFTS, JSON.stringify(Object.fromEntries(drafts)));
  const row = field.closest("tr");
  const open = [...row.querySelectorAll(".name-field, .prompt-field")].some((one) => one.value !== one.defaultValue);
  row.querySelector(".state").textContent = open ? say("not kept yet") : "";
}

function forget(id) {
  for (const key of [...drafts.keys()]) if (key.startsWith(`${id} `)) drafts.delete(key);
  sessionStorage.setItem(DRAFTS, JSON.stringify(Object.fromEntries(drafts)));
}

for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => act(button.dataset.do, button.closest("tr"), button.dataset.words));
}
for (const field of document.querySelectorAll(".name-field, .prompt-field, .parts")) {
  const kept = drafts.get(place(field));
  if (kept && kept.was === field.defaultValue) field.value = kept.is;
  field.addEventListener("input", () => draft(field));
  draft(field);
}
for (const field of document.querySelectorAll(".prompt-field, .name-field")) {
  field.addEventListener("keydown", (event) => {
    const row = field.closest("tr");
    if (confirms(event)) act(row.dataset.class === "0" ? "add" : "preview", row);
  });
}

async function act(what, row, words) {
  if (!named()) return;
  if (what === "words") { // other words are only tried; Keep takes them
    const field = row.querySelector(".prompt-field");
    field.value = words;
    draft(field);
    what = "preview";
  }
  const body = {
    id: Number(row.dataset.class),
    name: row.querySelector(".name-field").value,
    prompt: row.querySelector(".prompt-field").value,
  };
  try {
    if (what === "preview") {
      moves(await post("/api/classes/preview", body));
      return;
    }
    if (what in ASKED && !confirm(ASKED[what](row, { klass: row.dataset.name, n: row.dataset.answers }))) return;
    await post("/api/classes", { action: what, ...body, into: Number(into(row)?.value ?? 0), names: parts(row) });
    forget(body.id);
    location.reload();
  } catch (error) {
    toast(error.message, true);
  }
}

function moves(told) {
  at("moves").hidden = false;
  at("moves-sentence").textContent = told.pairs.length ? told.sentence : say("no answer would move");
  at("moves-pairs").replaceChildren(...told.pairs.map((one) => element("li", "name", `${one.before} → ${one.after}: ${one.n}`)));
  at("moves-images").replaceChildren(...told.images.map((one) => {
    const card = element("article", "card");
    card.append(thumb(one.image), element("p", "says name", `${one.before} → ${one.after}`));
    return card;
  }));
  at("moves").scrollIntoView({ block: "nearest" });
}
