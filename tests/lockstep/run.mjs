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

const probe = new Probe();
addCorpora(probe);
const start = Date.now();
const report = () => {
  const seconds = Math.round((Date.now() - start) / 1000);
  console.log(JSON.stringify({ ...probe.counts(), seconds }));
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

if (options["--batch"] > 0) {
  batch(options["--batch"]);
} else {
  for (let seed = options["--seed"] * 1e9, next = 0; ; seed++) {
    batch(seed);
    const { executions } = probe.counts();
    if (executions >= next) {
      report();
      next += 1_000_000;
    }
    if (executions >= options["--executions"]) break;
  }
}
report();
