// Labels from a file.
import { at, element, named, post, say, toast } from "./core.js";

at("import").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!named()) return;
  const form = event.target;
  at("problems").replaceChildren();
  try {
    const told = await post(`/api/import/${form.form.value}`, await form.file.files[0].arrayBuffer(), true);
    at("told").textContent = say("{n} answers brought in.", { n: told.answers });
    if (told.problems.length) {
      at("told").textContent += ` ${say("{n} lines could not be used:", { n: told.problems.length + told.more })}`;
      at("problems").replaceChildren(...told.problems.map((text) => element("li", "name", text)));
    }
  } catch (error) {
    toast(error.message, true);
  }
});
