// The long run: node tests/lockstep/run.mjs [--executions N] [--seed N] [--rounds N] [--batch SEED]
// Random programs on the interpreter and as generated code, in this Node's V8, until N executions are done
// (100 million) or a difference is found; --batch repeats the one that a report names. Prints counts as JSON.
import { addCorpora } from "./corpus.mjs";
import { Probe } from "./host.mjs";

const options = { "--executions": 100_000_000, "--seed": 1, "--rounds": 60, "--batch": 0 };
for (let i = 2; i < process.argv.length; i += 2) {
  if (!(process.argv[i] in options)) throw new Error(`there is no ${process.argv[i]}`);
  options[process.argv[i]] = Number(process.argv[i + 1]);
}

// Each batch's translator takes its places in the table anew, which cannot grow for ever.
const batchesOfProbe = 4000;
let probe;
let earlier = {};
const start = Date.now();

function counts() {
  const sums = probe.counts();
  for (const name of Object.keys(sums)) sums[name] += earlier[name] ?? 0;
  return sums;
}

function renewProbe() {
  if (probe) earlier = counts();
  probe = new Probe();
  addCorpora(probe);
}

const report = () => {
  const seconds = Math.round((Date.now() - start) / 1000);
  console.log(JSON.stringify({ ...counts(), seconds }));
};

function batch(seed) {
  try {
    if (probe.exports.ls_batch(seed, options["--rounds"])) return;
    console.log(`batch ${seed} (--batch ${seed}):\n${probe.text()}`);
  } catch (error) {
    console.log(`batch ${seed} (--batch ${seed}):\n${error.stack}`);
  }
  report();
  process.exit(1);
}

renewProbe();
if (options["--batch"] > 0) {
  batch(options["--batch"]);
} else {
  for (let seed = options["--seed"] * 1e9, next = 0; ; seed++) {
    if (seed > options["--seed"] * 1e9 && seed % batchesOfProbe === 0) renewProbe();
    batch(seed);
    const { executions } = counts();
    if (executions >= next) {
      report();
      next += 1_000_000;
    }
    if (executions >= options["--executions"]) break;
  }
}
report();
