// node assets/recipes/record_manifest.mjs: notes in assets/manifest.json the versions and hashes that this machine's
// cache holds, as "lastSeen". They document; what verifies a download is Debian's signed package index.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { cachePath } from "../setup/cache.mjs";

const kManifest = path.join(path.dirname(fileURLToPath(import.meta.url)), "../manifest.json");

function readJson(file) {
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : undefined;
}

const manifest = readJson(kManifest);
const toolchain = readJson(cachePath("toolchain", "emscripten-trixie-1", "packages.json"))?.packages ?? {};
for (const asset of manifest.assets) {
  const system = asset.system ? readJson(cachePath("systems", asset.system, "record.json")) : undefined;
  if (system) asset.lastSeen = { packages: system.packages, sha256: system.sha256 };
  const part = asset.part ? readJson(cachePath("parts", asset.part, "record.json")) : undefined;
  const seen = part ?? toolchain[asset.package];
  if (!seen) continue;
  asset.lastSeen = { ...(part ? { package: part.package } : {}), version: seen.version, sha256: seen.sha256 };
}
fs.writeFileSync(kManifest, JSON.stringify(manifest, null, 2) + "\n");
