// npm run setup [-- group...]: makes this machine able to build and test. Idempotent; groups are those of
// host_packages.mjs, plus "npm" (node_modules) and "guests" (kernels, initramfs, firmware). "systems" makes what only
// `npm run test:long` needs: a Debian disk and Debian's installer.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError, runMain, say, withLock } from "./cache.mjs";
import { ensureEmscripten } from "./emscripten.mjs";
import { ensureHostPackages, kGroups } from "./host_packages.mjs";
import { show } from "./process.mjs";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const kDefault = ["build", "guests", "npm", "test", "lint"];

function checkNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) throw new SetupError(`Node 20 or newer is needed; this is ${process.versions.node}`);
}

function ensureNodeModules() {
  const stamp = path.join(kRoot, "node_modules/.package-lock.json");
  const lock = path.join(kRoot, "package-lock.json");
  const done = fs.existsSync(stamp) && fs.statSync(stamp).mtimeMs >= fs.statSync(lock).mtimeMs;
  if (done) return;
  say("npm ci");
  const env = { ...process.env, PUPPETEER_SKIP_DOWNLOAD: "1", PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD: "1" };
  show("npm", ["ci", "--no-audit", "--no-fund", "--silent"], { cwd: kRoot, env });
}

export async function setup(groups = kDefault) {
  checkNode();
  const unknown = groups.find((group) => group !== "npm" && !kGroups.includes(group));
  if (unknown) throw new SetupError(`no set-up group ${unknown}; there are: npm ${kGroups.join(" ")}`);
  await withLock(async () => {
    ensureHostPackages(groups.filter((group) => group !== "npm"));
    if (groups.includes("build")) await ensureEmscripten(() => ensureHostPackages(["toolchain"]));
    if (groups.includes("npm")) ensureNodeModules();
    if (groups.includes("guests")) {
      const { ensureGuests } = await import("../recipes/guests.mjs");
      await ensureGuests();
    }
    if (groups.includes("systems")) {
      const { ensureSystems } = await import("../recipes/systems.mjs");
      await ensureSystems();
    }
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    const groups = process.argv.slice(2);
    await setup(groups.length > 0 ? groups : undefined);
    say("done");
  });
}
