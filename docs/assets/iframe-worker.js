// The site's search runs in a worker, which browsers refuse to pages that are opened from a folder. There, and only
// there, the worker's script runs in a hidden frame of the same page instead. Nothing is fetched from elsewhere.
if (location.protocol === "file:") {
  window.Worker = class FrameWorker extends EventTarget {
    #frame = document.createElement("iframe");
    #waiting = [];
    #ready = false;

    constructor(url) {
      super();
      this.onmessage = null;
      this.onerror = null;
      this.#frame.hidden = true;
      this.#frame.srcdoc = "<!doctype html><title>search</title>";
      this.#frame.onload = () => this.#start(new URL(url, document.baseURI).href);
      document.documentElement.append(this.#frame);
    }

    postMessage(data) {
      if (!this.#ready) this.#waiting.push(data);
      else this.#frame.contentWindow.dispatchEvent(new MessageEvent("message", { data: structuredClone(data) }));
    }

    terminate() {
      this.#ready = false;
      this.#frame.remove();
    }

    #start(url) {
      const inside = this.#frame.contentWindow;
      inside.postMessage = (data) => {
        const event = new MessageEvent("message", { data: structuredClone(data) });
        setTimeout(() => this.#tell(event));
      };
      const script = inside.document.createElement("script");
      script.src = url;
      script.onload = () => {
        this.#ready = true;
        for (const data of this.#waiting.splice(0)) this.postMessage(data);
      };
      script.onerror = () => this.#tell(new ErrorEvent("error", { message: `cannot read ${url}` }));
      inside.document.body.append(script);
    }

    #tell(event) {
      this[`on${event.type}`]?.(event);
      this.dispatchEvent(event);
    }
  };
}
