// What `npm run build` leaves in dist/.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import zlib from "node:zlib";
import { root } from "./load.mjs";

const dist = path.join(root, "dist");
const scripts = path.join(dist, "lapwing");
const mostEngineBytes = 400 * 1024;

test("engine, worker and element are small", () => {
  const names = fs
    .readdirSync(scripts)
    .filter((name) => /^(lapwing\.wasm|worker\.js|(element|files)\b.*\.js)$/.test(name));
  assert.ok(names.includes("lapwing.wasm") && names.includes("worker.js"));
  const sizes = names.map(
    (name) => zlib.gzipSync(fs.readFileSync(path.join(scripts, name)), { level: 9 }).length,
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(
    total <= mostEngineBytes,
    `${names.map((name, i) => `${name} ${sizes[i]}`).join(", ")}: ${total} bytes`,
  );
});

test("the pages name nothing by an absolute path, so that they work in any folder", () => {
  for (const page of ["index.html", "embed.html"]) {
    const text = fs.readFileSync(path.join(dist, page), "utf8");
    for (const [, url] of text.matchAll(/(?:src|href)="([^"]*)"/g))
      assert.match(url, /^(\.\/|data:)/, `${page}: ${url}`);
  }
});

test("the declarations of the public interface are there", () => {
  const text = fs.readFileSync(path.join(scripts, "types/index.d.ts"), "utf8");
  assert.match(text, /class PC\b/);
});
