// The flags of `npm run bench`.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SetupError } from "../../assets/setup/cache.mjs";
import { kBenchPrograms } from "../programs/list.mjs";
import { listPeers } from "./peers.mjs";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const kRounds = 5;
const kQuickPart = 10;

const kHelp = `npm run bench -- [flags]
  --rounds N         rounds (default ${kRounds}, with --quick 1); the order of the machines turns with each
  --quick            every program does a ${kQuickPart}th of its work, once; nothing but boots and programs
  --part N           every program does an Nth of its work
  --accel NAME       how Lapwing runs: interp, jit (default: its own default)
  --guests A,B       of: 686 amd64                 --peers A,B      of: lapwing v86 qemu browser (default: the first three)
  --programs A,B     of the list in tests/programs/list.mjs; "none": boots alone
  --browser          Lapwing in headless Chromium too, beside Node
  --lapwing FILE     another build's lapwing.mjs; nothing is built then (--dist FOLDER: its page)
  --json FILE        where all numbers go (default build/bench/results.json)
  --no-interrupts, --no-disks, --no-dispersed    leave out that part
`;

function choose(value, known, usual = known) {
  const chosen = value === undefined ? usual : value === "none" ? [] : value.split(",");
  const unknown = chosen.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new SetupError(`no "${unknown}"; there are: ${known.join(" ")}`);
  return chosen;
}

function count(value, name, usual) {
  const number = Number(value ?? usual);
  if (!Number.isInteger(number) || number < 1) throw new SetupError(`--${name} takes a number from 1`);
  return number;
}

function parse() {
  const text = { type: "string" };
  const flag = { type: "boolean" };
  const texts = ["rounds", "part", "accel", "guests", "peers", "programs", "lapwing", "dist", "json"];
  const flags = ["quick", "browser", "no-interrupts", "no-disks", "no-dispersed", "help"];
  const options = Object.fromEntries([
    ...texts.map((name) => [name, text]),
    ...flags.map((name) => [name, flag]),
  ]);
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    throw new SetupError(error.message);
  }
}

/** The command line as what to do. */
export function readOptions() {
  const values = parse();
  if (values.help) {
    process.stdout.write(kHelp);
    process.exit(0);
  }
  const isQuick = values.quick ?? false;
  const absolute = (file) => file && path.resolve(file);
  const peers = listPeers({
    command: absolute(values.lapwing),
    dist: absolute(values.dist),
    accel: values.accel,
  });
  const usual = ["lapwing", "v86", "qemu", ...(values.browser ? ["browser"] : [])];
  const names = choose(
    values.peers,
    peers.map((peer) => peer.name),
    usual,
  );
  return {
    rounds: count(values.rounds, "rounds", isQuick ? 1 : kRounds),
    part: count(values.part, "part", isQuick ? kQuickPart : 1),
    accel: values.accel,
    peers: peers.filter((peer) => names.includes(peer.name)),
    programs: choose(values.programs, kBenchPrograms),
    guests: choose(values.guests, ["686", "amd64"]),
    command: absolute(values.lapwing),
    json: path.resolve(values.json ?? path.join(kRoot, "build/bench/results.json")),
    withInterrupts: !isQuick && !values["no-interrupts"],
    withDisks: !isQuick && !values["no-disks"],
    withDispersed: !isQuick && !values["no-dispersed"],
  };
}
