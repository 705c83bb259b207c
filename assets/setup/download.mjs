// A resumable HTTP download, checked against a known SHA-256. (apt-get download starts a broken file afresh.)
import fs from "node:fs";
import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { say } from "./cache.mjs";

const kReportMs = 5000;

async function hashOf(file) {
  const hash = createHash("sha256");
  await pipeline(fs.createReadStream(file), hash);
  return hash.digest("hex");
}

function sizeOf(file) {
  return fs.existsSync(file) ? fs.statSync(file).size : 0;
}

async function transfer(uri, partial, { name, size }) {
  const have = sizeOf(partial);
  const headers = have > 0 ? { Range: `bytes=${have}-` } : {};
  const response = await fetch(uri, { headers });
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  const isRest = response.status === 206;
  if (isRest) say(`  ${name}: resuming at ${Math.floor((have / size) * 100)}%`);
  const report = () => say(`  ${name}: ${Math.floor((sizeOf(partial) / size) * 100)}%`);
  const timer = setInterval(report, kReportMs);
  try {
    await pipeline(
      Readable.fromWeb(response.body),
      fs.createWriteStream(partial, { flags: isRest ? "a" : "w" }),
    );
  } finally {
    clearInterval(timer);
  }
}

/** Leaves file complete and verified; an interrupted transfer leaves file.partial for the next attempt. */
export async function downloadResumable(uri, file, { name, size, sha256 }) {
  const partial = `${file}.partial`;
  if (sizeOf(partial) >= size) fs.rmSync(partial);
  await transfer(uri, partial, { name, size });
  if ((await hashOf(partial)) !== sha256) {
    fs.rmSync(partial);
    throw new Error("the file does not match the signed index");
  }
  fs.renameSync(partial, file);
}
