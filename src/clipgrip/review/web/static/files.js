// Labels from a file, which is sent in pieces, and into one. What was left out is said, with the first names.
import { at, element, get, named, post, Refused, root, say, toast, token } from "./core.js";

const PIECE = 4 << 20;
const TRIES = 5;
const MB = 1 << 20;

function progress(done, total) {
  at("meter").max = Math.max(1, total);
  at("meter").value = done;
  at("count").textContent = done < total || !total
    ? say("{done} of {total} MB sent", { done: (done / MB).toFixed(1), total: (total / MB).toFixed(1) })
    : say("sent; the labels are being read …");
}

// A piece whose answer was lost is sent again; the server takes it once.
async function insisting(path, piece) {
  for (let n = 1; ; n += 1) {
    try {
      return await post(path, piece, true);
    } catch (error) {
      if (error instanceof Refused || n === TRIES) throw error;
      await new Promise((done) => setTimeout(done, 500 * n));
    }
  }
}

async function send(form, file) {
  const upload = token();
  let told;
  for (let from = 0; from === 0 || from < file.size; from += PIECE) {
    const piece = file.slice(from, from + PIECE);
    const query = new URLSearchParams({ upload, at: String(from), of: String(file.size) });
    progress(Math.max(0, from + piece.size - 1), file.size);
    if (from + PIECE >= file.size) progress(file.size, file.size);
    told = await insisting(`/api/import/${form}?${query}`, await piece.arrayBuffer());
  }
  return told;
}

function table(heads, rows) {
  const made = element("table", "small");
  const head = made.createTHead().insertRow();
  for (const [text, kind] of heads) head.append(element("th", kind, text));
  const body = made.createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    cells.forEach((text, n) => row.append(element("td", heads[n][1], text)));
  }
  return made;
}

const names = (line) => line.first.join(say(", ")) + (line.n > line.first.length ? " …" : "");

function showImport(told) {
  const left = told.table.filter((line) => line.kind === "left").reduce((n, line) => n + line.n, 0);
  const said = [say("{n} answers brought in.", { n: told.answers })];
  if (told.note) said.push(told.note);
  else if (!told.table.some((line) => line.kind !== "left")) said.push(say("Nothing in the file could be used."));
  if (left) said.push(say("{n} entries were left out; the table says why.", { n: left }));
  at("told").textContent = said.join(say(" "));
  const kinds = { taken: "taken", changed: "taken", same: "known", note: "please check", left: "left out" };
  const heads = [["", ""], [say("What became of it"), ""], [say("How many"), "n"], [say("The first of them"), "name"]];
  const rows = told.table.map((line) => [say(kinds[line.kind]), line.text, String(line.n), names(line)]);
  at("problems").replaceChildren(...(rows.length ? [table(heads, rows)] : []));
}

const unchosen = at("chosen").textContent;
at("import").file.addEventListener("change", (event) => {
  at("chosen").textContent = event.target.files.length ? event.target.files[0].name : unchosen;
});

at("import").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  if (!form.file.files.length) {
    form.file.focus();
    toast(unchosen, true);
    return;
  }
  if (!named()) return;
  const button = form.querySelector("button");
  at("problems").replaceChildren();
  at("told").textContent = "";
  at("progress").hidden = false;
  button.disabled = true;
  try {
    showImport(await send(form.form.value, form.file.files[0]));
  } catch (error) {
    toast(error.message, true);
  } finally {
    at("progress").hidden = true;
    button.disabled = false;
  }
});

function showExport(told) {
  if (told.error) {
    at("exported").replaceChildren(element("p", "missing", told.error));
    return;
  }
  const left = told.table.reduce((n, line) => n + line.n, 0);
  const parts = [element("p", "", say("Saved: {labels} labels of {images} images under review.", told))];
  if (told.note) parts.push(element("p", "note", told.note));
  if (left) {
    parts.push(element("p", "missing", say("{n} images are not in the file; the CSV has the labels of all.", { n: left })));
    const heads = [[say("Why"), ""], [say("How many"), "n"], [say("The first of them"), "name"]];
    parts.push(table(heads, told.table.map((line) => [line.text, String(line.n), names(line)])));
  }
  at("exported").replaceChildren(...parts);
}

let asked = "";
for (const link of document.querySelectorAll("a[data-form]")) {
  link.addEventListener("click", async () => {
    const mine = asked = token();
    const values = new URLSearchParams({ ticket: mine });
    const prefix = at("prefix").value.trim();
    if (link.dataset.form === "label-studio" && prefix) values.set("prefix", prefix);
    link.href = `${root}/export/${link.dataset.form}?${values}`;
    at("exported").replaceChildren(element("p", "note", say("The file is being written …")));
    try {
      let told = { ready: false };
      while (!told.ready && asked === mine) {
        await new Promise((done) => setTimeout(done, 400));
        told = await get(`/api/exported/${mine}`);
      }
      if (asked === mine) showExport(told);
    } catch {
      if (asked === mine) at("exported").replaceChildren();
    }
  });
}
