// The image's true scale: 100 % shows one pixel of the image as one pixel of the screen.
import { at, get, root } from "./core.js";

const PREVIEW = 1600;  // the longest side of the picture that comes first
const PIXELS = 3;  // from this scale on pixels are shown as squares, not smoothed
const MOST = 16;
const stage = at("stage");
const image = at("image");
let hash = "";
let longest = 0;  // of the file itself; 0: not known yet
let shape = [1, 1];  // width and height as shares of the longest side; kept while a sharper picture loads
let fit = 1;
let zoom = 0;  // 0: as large as fits

const natural = () => Math.max(image.naturalWidth, image.naturalHeight);
const scale = () => (longest ? image.getBoundingClientRect().width * devicePixelRatio / (longest * shape[0]) : 1);

function draw() {
  const sides = shape.map((share) => zoom ? `${zoom * longest * share / devicePixelRatio}px` : "");
  image.classList.toggle("zoomed", zoom > 0);
  image.classList.toggle("pixels", zoom >= PIXELS);
  [image.style.width, image.style.height] = sides;
  at("scale").textContent = longest ? `${Math.round(100 * scale())}%` : "";
  at("true-size").setAttribute("aria-pressed", String(zoom > 0 && Math.abs(zoom - 1) < 0.005));
}

// The part of the image in the middle of the stage stays there.
function set(to) {
  if (!longest) return;
  const before = zoom;
  if (!zoom) fit = scale() || fit;
  const limited = Math.max(Math.min(fit, 1), Math.min(Math.max(MOST, 4 * fit), to));
  const middle = [stage.scrollLeft + stage.clientWidth / 2, stage.scrollTop + stage.clientHeight / 2];
  const grown = limited / (before || fit);
  zoom = Math.abs(limited / fit - 1) < 0.01 && Math.abs(to - 1) > 0.005 ? 0 : limited;
  draw();
  stage.scrollTo(middle[0] * grown - stage.clientWidth / 2, middle[1] * grown - stage.clientHeight / 2);
  if (zoom > fit && !image.src.endsWith("?full=true")) image.src = `${root}/image/${hash}?full=true`;  // sharper
}

export const zoomBy = (factor) => set((zoom || scale()) * factor);
export const trueSize = () => (Math.abs(zoom - 1) < 0.005 ? fitted() : set(1));
function fitted() {
  zoom = 0;
  draw();
}

export function open(one) {
  hash = one;
  longest = 0;
  image.dataset.image = one;
  image.src = `${root}/image/${one}`;
  fitted();
}

image.addEventListener("load", async () => {
  const one = hash;
  if (!longest) {
    let side = natural();
    if (side >= PREVIEW) side = (await get(`/api/size/${one}`).catch(() => ({ longest: side }))).longest;
    if (one !== hash) return;
    shape = [image.naturalWidth / natural(), image.naturalHeight / natural()];
    longest = side;
  }
  draw();
});
let wide = innerWidth;
window.addEventListener("resize", () => {
  if (innerWidth !== wide) fitted();  // not where only the address bar of a phone comes and goes
  wide = innerWidth;
});

stage.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !zoom && event.deltaY > 0) return;
  event.preventDefault();
  zoomBy(event.deltaY < 0 ? 1.25 : 0.8);
}, { passive: false });
stage.addEventListener("dblclick", trueSize);
let drag = null;
stage.addEventListener("pointerdown", (event) => {
  if (event.pointerType === "touch") return;  // a finger scrolls by itself
  drag = { x: event.clientX + stage.scrollLeft, y: event.clientY + stage.scrollTop };
  event.preventDefault();
});
window.addEventListener("pointermove", (event) => {
  if (drag) stage.scrollTo(drag.x - event.clientX, drag.y - event.clientY);
});
window.addEventListener("pointerup", () => { drag = null; });
at("in").addEventListener("click", () => zoomBy(1.5));
at("out").addEventListener("click", () => zoomBy(1 / 1.5));
at("true-size").addEventListener("click", trueSize);
