// The next round: begin it, watch it, stop it.
import { at, get, named, post, read, say, toast } from "./core.js";

let watched = read("page");
const before = watched.current;

function show(told) {
  const running = told.state === "running" || told.loading;
  at("start").disabled = running;
  at("stop").hidden = told.state !== "running";
  at("progress").hidden = !running;
  at("stage").textContent = told.stage;
  at("meter").value = told.loading && told.state !== "running" ? 1 : told.share;
  const percent = `${Math.floor(100 * at("meter").value)}%`;
  const left = told.left ? say("about {time} left", { time: told.left }) : say("the time left shows soon");
  at("count").textContent = told.state === "running" ? `${percent} · ${left}` : percent;
  const texts = {
    failed: say("The round failed: {why}", { why: told.error }),
    stopped: say("The round was stopped. It goes on from there when it is started again."),
  };
  at("message").textContent = texts[told.state] ?? "";
  if (told.state === "done" && told.current > before) location.reload();
}

async function watch() {
  try {
    watched = await get("/api/rounds");
    show(watched);
  } catch { /* the server is away for a moment */ }
  setTimeout(watch, watched.state === "running" || watched.loading ? 700 : 3000);
}

at("start").addEventListener("click", async () => {
  if (!named()) return;
  try {
    await post("/api/rounds/start");
    show({ ...watched, state: "running", share: 0, left: "" });
  } catch (error) {
    toast(error.message, true);
  }
});
at("stop").addEventListener("click", () => post("/api/rounds/stop").catch((error) => toast(error.message, true)));
for (const button of document.querySelectorAll("[data-back]")) {
  button.addEventListener("click", async () => {
    const asked = say("Round {n}: its model answers again, instead of that of round {now}. Answers that people gave stay. Classes, their names and texts do not go back: they stay as they are now. No round is deleted.", { n: button.dataset.back, now: button.dataset.undone });
    if (!named() || !confirm(asked)) return;
    try {
      await post("/api/rounds/back", { number: Number(button.dataset.back) });
      location.reload();
    } catch (error) {
      toast(error.message, true);
    }
  });
}
show(watched);
watch();
