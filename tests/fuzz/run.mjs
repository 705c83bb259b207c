// The long run of the fuzzers: node tests/fuzz/run.mjs [--runs N] [--seconds S] [--build FOLDER] [NAME...]
// Builds the fuzzers (build/fuzz), gives each controller and device N executions (10 million) or S seconds, whichever
// comes first, keeps what it found interesting in FOLDER/corpus, and ends with the counts: executions, edges reached of
// those in the program, seconds of the slowest input. Exit status 1 after a finding.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { realCode } from "../lockstep/corpus.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const chips = [
  ...fs.readFileSync(path.join(root, "tests/fuzz/chips.h"), "utf8").matchAll(/\{"(\w+)", make_/g),
].map(([, name]) => ({ name, program: "chips_fuzz", longest: 48, env: { LAPWING_CHIP: name } }));
const all = [
  ...chips,
  { name: "ide", program: "ide_fuzz", longest: 256 },
  { name: "nvme", program: "nvme_fuzz", longest: 512 },
  { name: "vga", program: "vga_fuzz", longest: 128 },
  {
    name: "translator",
    program: "translator_fuzz",
    longest: 256,
    seed: seedWithCode,
    extra: ["-len_control=0"],
  },
  { name: "controllers", program: "controllers_fuzz", longest: 512 }, // all controllers, wired together
];

const names = [];
const settings = { "--runs": 10_000_000, "--seconds": 0, "--build": "build/fuzz" };
const args = process.argv.slice(2);
for (let i = 0; i < args.length; i++) {
  if (args[i] in settings) settings[args[i]] = args[++i];
  else names.push(args[i]);
}
const unknown = names.find((name) => !all.some((row) => row.name === name));
if (unknown) {
  console.error(`no fuzzer '${unknown}'; there are ${all.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const wanted = all.filter(({ name }) => names.length === 0 || names.includes(name));

/** Pieces of the guests' programs as inputs of translator_fuzz.cpp. */
function seedWithCode(corpus) {
  const pieces = 400;
  for (const [codeSize, code] of realCode()) {
    for (let i = 0; i < pieces; i++) {
      const at = Math.floor((i * code.length) / pieces);
      const header = Buffer.from([codeSize === 8 ? 2 : 5, 16, 24, 150, i % 8, i & 255]);
      const piece = code.subarray(at, at + 40 + ((i * 37) % 200));
      fs.writeFileSync(path.join(corpus, `code${codeSize}-${i}`), Buffer.concat([header, piece]));
    }
  }
}

function must(command, ...rest) {
  const { status } = spawnSync(command, rest, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
const build = path.resolve(root, settings["--build"]);
must("cmake", "--preset", "fuzz", "-B", build);
must("cmake", "--build", build, "--target", ...new Set(wanted.map(({ program }) => program)));

// A freed block is kept from reuse for a while: what the default keeps is most of a short input's time.
const asan = "quarantine_size_mb=2:thread_local_quarantine_size_kb=64:malloc_context_size=2";
let findings = 0;
for (const { name, program, longest, env, seed, extra = [] } of wanted) {
  const corpus = path.join(build, "corpus", name);
  fs.mkdirSync(corpus, { recursive: true });
  seed?.(corpus);
  const { status, stderr } = spawnSync(
    path.join(build, program),
    [
      corpus,
      `-runs=${settings["--runs"]}`,
      `-max_total_time=${settings["--seconds"]}`,
      `-max_len=${longest}`,
      "-timeout=10",
      ...extra,
      "-print_final_stats=1",
      `-artifact_prefix=${corpus}-`,
    ],
    { env: { ...process.env, ASAN_OPTIONS: asan, ...env }, encoding: "utf8", maxBuffer: 1 << 30 },
  );
  const executions = /number_of_executed_units: *(\d+)/.exec(stderr)?.[1] ?? "?";
  const slowest = /slowest_unit_time_sec: *(\d+)/.exec(stderr)?.[1] ?? "?";
  const edges = [...stderr.matchAll(/cov: (\d+)/g)].at(-1)?.[1] ?? "?";
  const counters = /\((\d+) inline 8-bit counters\)/.exec(stderr)?.[1] ?? "?";
  console.log(
    `${name.padEnd(12)} ${executions.padStart(10)} executions, ${edges} of ${counters} edges, ` +
      `slowest ${slowest} s${status === 0 ? "" : ": FINDING"}`,
  );
  if (status === 0) continue;
  findings++;
  console.error(stderr.split("\n").slice(-60).join("\n"));
}
process.exit(findings === 0 ? 0 : 1);
