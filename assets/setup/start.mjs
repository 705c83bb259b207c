// npm start [-- --port N]: sets up what is missing, builds, serves the page and prints its address.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "../../web/serve.mjs";
import { build } from "./build.mjs";
import { SetupError, runMain } from "./cache.mjs";
import { show } from "./process.mjs";
import { setup } from "./setup.mjs";

const kRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const kDefaultPort = 5173;

function portFrom(args) {
  const at = args.indexOf("--port");
  const unknown = args.find((arg, i) => i !== at && i !== at + 1);
  const port = at < 0 ? kDefaultPort : Number(args[at + 1]);
  if (at < 0 ? args.length > 0 : unknown !== undefined) {
    throw new SetupError(`unknown argument ${at < 0 ? args[0] : unknown}; the only one is --port N`);
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new SetupError("--port needs a number from 1 to 65535");
  return { port, isChosen: at >= 0 };
}

await runMain(async () => {
  const { port, isChosen } = portFrom(process.argv.slice(2));
  await setup(["build", "guests", "npm"]);
  await build("wasm");
  show("npm", ["run", "--silent", "build:web"], { cwd: kRoot });
  try {
    const { url } = await serve({ port, strict: isChosen });
    process.stdout.write(`\nLapwing is ready: ${url}\n`);
  } catch (error) {
    throw new SetupError(error.message);
  }
});
