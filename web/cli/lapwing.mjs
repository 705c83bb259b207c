#!/usr/bin/env node
// The command: starts the built one, or says how to build it.
import fs from "node:fs";

const built = new URL("../../build/cli/lapwing.mjs", import.meta.url);
if (fs.existsSync(built)) {
  const { main } = await import(built.href);
  process.exit(await main(process.argv.slice(2)));
} else {
  process.stderr.write("lapwing: it has not been built yet; run `npm run build` first.\n");
  process.exit(2);
}
