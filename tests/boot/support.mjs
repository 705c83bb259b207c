// What the boot tests share: guests, the command line, the page's server and a Chromium.
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { listGuests } from "../../assets/guests.mjs";
import { serve } from "../../web/serve.mjs";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const isLong = process.env.LAPWING_LONG === "1";
export const guests = listGuests();
export const dist = process.env.LAPWING_DIST ?? path.join(root, "dist");
export const commandPath = process.env.LAPWING_COMMAND ?? path.join(root, "web/cli/lapwing.mjs");

/** What no healthy boot prints. */
export const troubles = /Kernel panic|BUG:|Oops|Call Trace|WARNING:|Attempted to kill init/;

/** Runs `lapwing` to its end. */
export function lapwing(args, { wallSeconds = 600 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [commandPath, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) {
      child[name].setEncoding("utf8").on("data", (text) => (output[name] += text));
    }
    const guard = setTimeout(() => child.kill("SIGKILL"), wallSeconds * 1000);
    child.on("error", reject);
    child.on("close", (status, signal) => {
      clearTimeout(guard);
      resolve({ status: signal ?? status, ...output });
    });
  });
}

/** The flags that boot a guest of the cache. */
export const guestFlags = (guest) => [
  "-nographic",
  "-m",
  guest.memory,
  "-kernel",
  guest.kernel,
  "-initrd",
  guest.initrd,
  "-append",
  guest.append,
];

export const findChromium = () =>
  process.env.CHROMIUM ??
  ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(fs.existsSync);

export const launchChromium = () =>
  chromium.launch({
    executablePath: findChromium(),
    args: ["--no-sandbox", "--disable-background-networking"],
  });

export const servePage = () => serve({ root: dist, port: 6300 });

/** A server of a few pages of our own, as another origin. */
export async function servePages(pages) {
  const server = http.createServer((request, response) => {
    const text = pages[request.url];
    response
      .writeHead(text === undefined ? 404 : 200, { "content-type": "text/html; charset=utf-8" })
      .end(text ?? "");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve)));
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}

/** Waits until the terminal of a page or frame shows the pattern; the error holds what it showed. */
export async function waitForTerminal(frame, pattern, seconds) {
  const rows = frame.locator("lapwing-pc .xterm-rows");
  const cover = frame.locator("lapwing-pc .cover");
  const end = Date.now() + seconds * 1000;
  let text = "";
  while (Date.now() < end) {
    if (await rows.count()) text = (await rows.innerText()).replace(/\u00a0/g, " ");
    if (pattern.test(text)) return text;
    if (await cover.locator(".note.error").count())
      throw new Error(`the page says: ${await cover.innerText()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${pattern} did not appear within ${seconds} s; the terminal shows:\n${text.trim()}`);
}
