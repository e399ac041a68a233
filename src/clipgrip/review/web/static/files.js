// Labels from a file, which is sent in pieces.
import { at, element, named, post, Refused, say, toast, token } from "./core.js";

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

at("import").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!named()) return;
  const form = event.target;
  const button = form.querySelector("button");
  at("problems").replaceChildren();
  at("told").textContent = "";
  at("progress").hidden = false;
  button.disabled = true;
  try {
    const told = await send(form.form.value, form.file.files[0]);
    at("told").textContent = say("{n} answers brought in.", { n: told.answers });
    if (told.problems.length) {
      at("told").textContent += ` ${say("{n} lines could not be used:", { n: told.problems.length + told.more })}`;
      at("problems").replaceChildren(...told.problems.map((text) => element("li", "name", text)));
    }
  } catch (error) {
    toast(error.message, true);
  } finally {
    at("progress").hidden = true;
    button.disabled = false;
  }
});
