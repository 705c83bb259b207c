// A static server for dist/, with the guests of the user's cache under guests/. `node web/serve.mjs [--port N]`
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { guestFiles } from "./tools/guest_files.mjs";

const dist = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../dist");
const defaultPort = 5173;
const portsTried = 20;

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** The file that a path names, never outside the folder; undefined when there is none. */
function fileFor(root, pathname) {
  const { index, files } = guestFiles();
  if (index.guests.length > 0 && pathname === "/guests/guests.json") return { text: JSON.stringify(index) };
  const guest = files.get(pathname.replace(/^\/guests\//, ""));
  if (guest) return { path: guest };
  const file = path.join(root, pathname.endsWith("/") ? `${pathname}index.html` : pathname);
  const isInside = file === root || file.startsWith(root + path.sep);
  return isInside && fs.statSync(file, { throwIfNoEntry: false })?.isFile() ? { path: file } : undefined;
}

function answer(root, request, response) {
  let pathname;
  try {
    pathname = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  } catch {
    response.writeHead(400).end("Bad request\n");
    return;
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405).end("Only GET and HEAD\n");
    return;
  }
  const file = fileFor(root, pathname);
  // The element may be used from another origin, or from a sandboxed frame.
  const headers = { "access-control-allow-origin": "*", "cache-control": "no-cache" };
  if (!file) {
    response.writeHead(404, headers).end("Not found\n");
    return;
  }
  headers["content-type"] = types[path.extname(file.path ?? ".json")] ?? "application/octet-stream";
  if (file.text !== undefined) {
    response.writeHead(200, headers).end(file.text);
    return;
  }
  const { size, mtimeMs } = fs.statSync(file.path);
  const etag = `"${size.toString(36)}-${Math.floor(mtimeMs).toString(36)}"`;
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304, { ...headers, etag }).end();
    return;
  }
  const range = requestedRange(request.headers.range, size);
  const [first, last] = range ?? [0, size - 1];
  Object.assign(headers, { etag, "accept-ranges": "bytes", "content-length": last - first + 1 });
  if (range) headers["content-range"] = `bytes ${first}-${last}/${size}`;
  headers["access-control-expose-headers"] = "content-range, etag";
  response.writeHead(range ? 206 : 200, headers);
  if (request.method === "HEAD" || size === 0) response.end();
  else
    fs.createReadStream(file.path, { start: first, end: last })
      .on("error", () => response.destroy())
      .pipe(response);
}

/** [first, last] of a request for one part of a file (disk images are read so); undefined for all of it. */
function requestedRange(header, size) {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined || Number(first) >= size) return undefined;
  return [Number(first), last ? Math.min(Number(last), size - 1) : size - 1];
}

function listen(server, port, host) {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.removeListener("error", reject);
      resolve(server.address().port);
    });
  });
}

/** Starts serving; `strict`: exactly this port, else the next free one. Throws an Error of one sentence. */
export async function serve({ port = defaultPort, strict = false, root = dist, host = "127.0.0.1" } = {}) {
  if (!fs.existsSync(path.join(root, "index.html"))) {
    throw new Error(`there is no page in ${root} yet; run \`npm run build\` first`);
  }
  for (let candidate = port; ; candidate++) {
    const server = http.createServer((request, response) => answer(root, request, response));
    try {
      const actual = await listen(server, candidate, host);
      const close = () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve)));
      return { url: `http://localhost:${actual}/`, port: actual, close };
    } catch (error) {
      if (error.code === "EADDRINUSE" && !strict && candidate < port + portsTried) continue;
      if (error.code === "EADDRINUSE")
        throw new Error(`port ${candidate} is in use; choose another with --port N`);
      if (error.code === "EACCES")
        throw new Error(`port ${candidate} needs privileges; choose one above 1023`);
      throw error;
    }
  }
}

function portFrom(args) {
  const text = args[0] === "--port" ? args[1] : process.env.PORT;
  if (args.length > 0 && (args[0] !== "--port" || args.length !== 2))
    throw new Error("usage: node web/serve.mjs [--port N]");
  if (text === undefined) return { strict: false };
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`'${text}' is not a port number`);
  return { port, strict: true };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { url } = await serve(portFrom(process.argv.slice(2)));
    process.stdout.write(`Lapwing is ready: ${url}\n`);
  } catch (error) {
    process.stderr.write(`lapwing: ${error.message}.\n`);
    process.exit(1);
  }
}
