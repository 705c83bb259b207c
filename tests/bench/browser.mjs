// Lapwing in a page of headless Chromium, its engine in a Worker: the same guest as in Node, booted through the public API.
// Costs are those of the renderer process, the only one that works for the machine.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { ConsoleText, cpuSecondsOf, peakMemoryOf } from "./session.mjs";

const kPage = `<!doctype html><meta charset="utf-8"><title>bench</title><script type="module">
  import { PC } from "./lapwing/index.js";
  globalThis.boot = async (options) => {
    globalThis.pc = await PC.boot({ ...options, clock: "realtime" });
    pc.on("serial", (text) => hear(text));
    pc.on("exit", ({ reason }) => ended(reason));
    pc.on("error", ({ message }) => ended(message));
  };
</script>`;
const kTypes = { ".js": "text/javascript", ".wasm": "application/wasm" };

/** Serves the page, the built scripts and the files by name. */
function serveFiles(dist, files) {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname === "/") return response.writeHead(200, { "content-type": "text/html" }).end(kPage);
    const file = files[pathname] ?? path.join(dist, path.normalize(pathname));
    if (!fs.existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": kTypes[path.extname(file)] ?? "application/octet-stream" });
    fs.createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** Renderer processes below a process, by /proc. */
function renderersBelow(ancestor) {
  const processes = fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const parents = new Map();
  for (const pid of processes) {
    try {
      const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
      parents.set(Number(pid), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const isBelow = (pid) => pid === ancestor || (parents.has(pid) && isBelow(parents.get(pid)));
  return [...parents.keys()].filter((pid) => isBelow(pid) && commandLine(pid).includes("--type=renderer"));
}

function commandLine(pid) {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** As Session; open it with `BrowserSession.open`. */
export class BrowserSession extends ConsoleText {
  #browser;
  #server;
  #page;
  #renderers = [];

  static async open(name, { dist, executablePath, kernel, initrd, ...options }) {
    const session = new BrowserSession(name);
    await session.#open({ dist, executablePath, kernel, initrd }, options);
    return session;
  }

  async #open({ dist, executablePath, kernel, initrd }, options) {
    const { chromium } = await import("playwright-core");
    this.#server = await serveFiles(dist, { "/kernel": kernel, "/initrd": initrd });
    const args = ["--no-sandbox", "--disable-background-networking", "--disable-extensions"];
    const server = await chromium.launchServer({ executablePath, args });
    this.#browser = server;
    const client = await chromium.connect(server.wsEndpoint());
    this.#page = await client.newPage();
    await this.#page.exposeFunction("hear", (text) => this.hear(text));
    await this.#page.exposeFunction("ended", (how) => this.end(`ended: ${how}`));
    await this.#page.goto(`http://127.0.0.1:${this.#server.address().port}/`);
    await this.#page.waitForFunction("globalThis.boot");
    this.#renderers = renderersBelow(server.process().pid);
    await this.#page.evaluate((given) => boot({ kernel: "/kernel", initrd: "/initrd", ...given }), options);
  }

  send(text) {
    this.#page.evaluate((typed) => pc.serial.write(typed), text).catch(() => {});
  }

  cpuSeconds() {
    return this.#renderers.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
  }

  peakMemory() {
    return Math.max(...this.#renderers.map(peakMemoryOf));
  }

  stop() {
    this.#server?.close();
    this.#server?.closeAllConnections();
    this.#browser?.kill();
  }
}
