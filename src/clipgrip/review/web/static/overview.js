// Read the audit and keep the promise.
import { at, named, post, say, toast } from "./core.js";

at("promise")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!named()) return;
  const form = event.target;
  try {
    const told = await post("/api/promise", { max_error: Number(form.error.value), confidence: Number(form.confidence.value) });
    const proven = "The model may decide {n} of {all} images; the promise is kept with name and time.";
    const nothing = "Nothing is proven yet: the model may decide none of the {all} images. The reading is stored with name and time.";
    const text = say(told.decided_by_model ? proven : nothing, { n: told.decided_by_model, all: told.pool });
    toast([text, ...told.notes].join(" "), true);
  } catch (error) {
    toast(error.message, true);
  }
});
