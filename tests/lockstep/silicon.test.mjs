// What this machine's own processor makes of random sequences, and generated code in V8: the same.
// LAPWING_SEED chooses other sequences.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";

import { Probe, root } from "./host.mjs";

const program = path.join(root, "build/native/differential");
const cannotRunHere = 2;
const skip = fs.existsSync(program) ? false : "needs an x86-64 host";

function recorded(t, ...args) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-silicon-"));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, "records");
  const seed = process.env.LAPWING_SEED ?? "1";
  const result = spawnSync(program, ["--seed", seed, "--record", file, ...args], { encoding: "utf8" });
  if (result.status === cannotRunHere) return t.skip(result.stderr.trim());
  assert.equal(result.status, 0, `${result.stdout}${result.stderr}`);
  return fs.readFileSync(file);
}

for (const [name, families, count] of [
  ["generated integer code ends as on the host's processor", "i", 6000],
  ["generated x87 code ends as on the host's processor", "x", 3000],
  ["generated SSE code ends as on the host's processor", "s", 3000],
]) {
  test(name, { skip }, (t) => {
    const records = recorded(t, "--families", families, "--count", String(count));
    if (records === undefined) return;
    const probe = new Probe();
    assert.ok(probe.exports.ls_silicon(probe.give(records), records.length), probe.text());
    const counts = JSON.parse(probe.text());
    t.diagnostic(JSON.stringify(counts));
    assert.ok(counts.sequences > 0.5 * count, "hardly any sequence was recorded");
    assert.ok(counts.generated > 0.3 * counts.instructions, "hardly anything ran as generated code");
  });
}
