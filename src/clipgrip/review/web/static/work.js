// Answer the alarm that rings.
import { named, post, say, toast } from "./core.js";

for (const form of document.querySelectorAll("form.alarm")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!named()) return;
    const chosen = form.querySelector("input:checked");
    const asked = say("Answer the alarm: “{meaning}”? This is not taken back.", { meaning: chosen.closest("label").textContent.trim() });
    if (!confirm(asked)) return;
    try {
      await post("/api/alarm", { number: Number(form.dataset.alarm), verdict: chosen.value, note: form.note.value });
      location.reload();
    } catch (error) {
      toast(error.message, true);
    }
  });
}
