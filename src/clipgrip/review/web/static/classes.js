// Names, words for the model, merging, splitting.
import { at, element, named, post, say, thumb, toast } from "./core.js";
import { confirms } from "./keys.js";

const RISKY = new Set(["merge", "split", "remove"]);

for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => act(button.dataset.do, button.closest("tr")));
}
for (const field of document.querySelectorAll(".prompt-field, .name-field")) {
  field.addEventListener("keydown", (event) => {
    const row = field.closest("tr");
    if (confirms(event)) act(row.dataset.class === "0" ? "add" : "preview", row);
  });
}

async function act(what, row) {
  if (!named()) return;
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
    if (RISKY.has(what) && !confirm(say("Really?"))) return;
    await post("/api/classes", {
      action: what,
      ...body,
      into: Number(row.querySelector(".into")?.value ?? 0),
      names: (row.querySelector(".parts")?.value ?? "").split("\n").filter((name) => name.trim()),
    });
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
