// The long run of the controllers' fuzzers: node tests/fuzz/run.mjs [--runs N] [--seconds S] [CONTROLLER...]
// Builds build/asan/chips_fuzz, gives each controller N executions (10 million) or S seconds, whichever comes first,
// keeps what it found interesting in build/fuzz, and ends with the counts. Exit status 1 after a finding.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const all = [
  ...fs.readFileSync(path.join(root, "tests/fuzz/chips.h"), "utf8").matchAll(/\{"(\w+)", make_/g),
].map(([, name]) => name);

const wanted = [];
const limits = { "--runs": 10_000_000, "--seconds": 0 };
const args = process.argv.slice(2);
for (let i = 0; i < args.length; i++) {
  if (args[i] in limits) limits[args[i]] = Number(args[++i]);
  else wanted.push(args[i]);
}
for (const name of wanted) {
  if (all.includes(name)) continue;
  console.error(`no controller '${name}'; there are ${all.join(", ")}`);
  process.exit(2);
}

function must(command, ...rest) {
  const { status } = spawnSync(command, rest, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
must("cmake", "--preset", "asan");
must("cmake", "--build", "build/asan", "--target", "chips_fuzz");

let findings = 0;
for (const name of wanted.length > 0 ? wanted : all) {
  const corpus = path.join(root, "build/fuzz", name);
  fs.mkdirSync(corpus, { recursive: true });
  const { status, stderr } = spawnSync(
    path.join(root, "build/asan/chips_fuzz"),
    [
      corpus,
      `-runs=${limits["--runs"]}`,
      `-max_total_time=${limits["--seconds"]}`,
      "-max_len=48",
      "-print_final_stats=1",
      `-artifact_prefix=${corpus}-`,
    ],
    { env: { ...process.env, LAPWING_CHIP: name }, encoding: "utf8", maxBuffer: 1 << 28 },
  );
  const executions = /number_of_executed_units: (\d+)/.exec(stderr)?.[1] ?? "?";
  const edges = [...stderr.matchAll(/cov: (\d+)/g)].at(-1)?.[1] ?? "?";
  console.log(
    `${name.padEnd(12)} ${executions.padStart(10)} executions, ${edges} edges${status === 0 ? "" : ": FINDING"}`,
  );
  if (status === 0) continue;
  findings++;
  console.error(stderr.split("\n").slice(-60).join("\n"));
}
process.exit(findings === 0 ? 0 : 1);
