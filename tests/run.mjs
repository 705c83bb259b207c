// npm test [-- --long] [suite...]: sets up, builds, runs every suite and prints a total.
// Suites: "unit" (Catch2, natively under sanitizers), then each folder of tests/ that holds *.test.mjs (node:test;
// *.long.mjs joins under --long). A suite that runs nothing counts as a failure.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { spawnSync } from "node:child_process";
import { build } from "../assets/setup/build.mjs";
import { SetupError, runMain } from "../assets/setup/cache.mjs";
import { show } from "../assets/setup/process.mjs";
import { setup } from "../assets/setup/setup.mjs";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const kTests = path.join(kRoot, "tests");
/** These must exist, in this order; other folders follow. */
const kSuites = ["unit", "assets", "web", "differential", "boot", "browser"];
const kTestTimeoutMs = 20 * 60_000;

function testFiles(suite, isLong) {
  const folder = path.join(kTests, suite);
  if (!fs.existsSync(folder)) return [];
  const isTest = (name) => name.endsWith(".test.mjs") || (isLong && name.endsWith(".long.mjs"));
  const names = fs.readdirSync(folder, { recursive: true }).filter(isTest).sort();
  return names.map((name) => path.join("tests", suite, name));
}

function allSuites(isLong) {
  const folders = fs.readdirSync(kTests).filter((name) => fs.statSync(path.join(kTests, name)).isDirectory());
  const others = folders.filter((name) => !kSuites.includes(name) && testFiles(name, isLong).length > 0);
  return [...kSuites, ...others.sort()];
}

/** Runs unit_tests; Catch2 2 and 3 end with the same summary of test cases. */
function runUnit() {
  const program = path.join(kRoot, "build/asan/unit_tests");
  const result = spawnSync(program, [], { cwd: kRoot, encoding: "utf8", maxBuffer: 64 << 20 });
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}`;
  const all = /All tests passed \(\d+ assertions? in (\d+) test cases?\)/.exec(output);
  if (result.status === 0 && all) return { passed: Number(all[1]), failed: 0 };
  process.stdout.write(output || `${result.error?.message ?? ""}\n`);
  const count = (word) => Number(new RegExp(`^test cases:.*?(\\d+) ${word}`, "m").exec(output)?.[1] ?? 0);
  return { passed: count("passed"), failed: Math.max(count("failed"), 1) };
}

function runNode(files) {
  if (files.length === 0) return { passed: 0, failed: 0 };
  const tap = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-test-")), "report.tap");
  const args = [
    "--test",
    `--test-timeout=${kTestTimeoutMs}`,
    `--test-concurrency=${os.availableParallelism()}`,
  ];
  args.push("--test-reporter=spec", "--test-reporter-destination=stdout");
  args.push("--test-reporter=tap", `--test-reporter-destination=${tap}`, ...files);
  const result = spawnSync(process.execPath, args, { cwd: kRoot, stdio: ["ignore", "inherit", "inherit"] });
  const report = fs.existsSync(tap) ? fs.readFileSync(tap, "utf8") : "";
  fs.rmSync(path.dirname(tap), { recursive: true, force: true });
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, "m").exec(report)?.[1] ?? 0);
  const failed = count("fail") + count("cancelled");
  return { passed: count("pass"), failed: result.status === 0 ? failed : Math.max(failed, 1) };
}

function runSuite(suite, isLong) {
  process.stdout.write(`\n== ${suite}\n`);
  const start = Date.now();
  const result = suite === "unit" ? runUnit() : runNode(testFiles(suite, isLong));
  if (result.passed + result.failed === 0) {
    process.stdout.write(`suite ${suite} ran no test\n`);
    result.failed = 1;
  }
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  process.stdout.write(`-- ${suite}: ${result.passed} passed, ${result.failed} failed (${seconds} s)\n`);
  return result;
}

async function prepare(isLong) {
  await setup(["build", "guests", "npm", "test", ...(isLong ? ["systems"] : [])]);
  await build("asan");
  await build("native");
  await build("wasm", ["all", "lockstep"]);
  show("npm", ["run", "--silent", "build:web"], { cwd: kRoot });
}

await runMain(async () => {
  const isLong = process.argv.includes("--long");
  const chosen = process.argv.slice(2).filter((arg) => arg !== "--long");
  const known = allSuites(isLong);
  const unknown = chosen.find((name) => !known.includes(name));
  if (unknown) throw new SetupError(`no suite ${unknown}; there are: ${known.join(" ")}`);
  await prepare(isLong);
  const results = (chosen.length > 0 ? chosen : known).map((suite) => runSuite(suite, isLong));
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  process.stdout.write(`\n${sum("passed")} passed, ${sum("failed")} failed\n`);
  process.exitCode = sum("failed") === 0 ? 0 : 1;
});
