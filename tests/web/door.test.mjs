import assert from "node:assert/strict";
import fs from "node:fs";
import test from "node:test";
import { commandDocPath, generateCommandDoc } from "../../web/tools/generate_command_doc.mjs";
import { generate, generateFromSources, twinPath } from "../../web/tools/generate_door.mjs";
import { eventNamesPath, generateEventNames } from "../../web/tools/generate_events.mjs";

test("door.ts is the twin of door.inc and door.h", () => {
  assert.equal(fs.readFileSync(twinPath, "utf8"), generateFromSources(), "run `npm run build:door`");
});

test("event_names.ts is the twin of irq_trace.h", () => {
  assert.equal(fs.readFileSync(eventNamesPath, "utf8"), generateEventNames(), "run `npm run build:door`");
});

test("docs/COMMAND.md lists the flags as they are", async () => {
  assert.equal(
    fs.readFileSync(commandDocPath, "utf8"),
    await generateCommandDoc(),
    "run `npm run build:door`",
  );
});

test("the generator understands enums, arrays and alignment, and refuses what it does not know", () => {
  const header = `constexpr u32 kDoorVersion = 7;
    enum class Stop : u32 { kOne = 1, kTwo = 2 };
    struct Status { u8 a; u64 b; u32 c[3]; u32 last; };`;
  const text = generate('DOOR(u32, lw_x, (u32 a_b, double c), "Does "\n "x.")\n', header);
  assert.match(text, /doorVersion = 7/);
  assert.match(text, /One: 1,\n {2}Two: 2,/);
  assert.match(text, /a: 0,\n {2}b: 8,\n {2}c: 16,\n {2}last: 28,\n {2}size: 32,/);
  assert.match(text, /\/\*\* Does x\. \*\/\n {2}lw_x\(aB: number, c: number\): number;/);
  assert.throws(() => generate("DOOR(u32, lw_x)\n", header), /understood 0 of 1/);
  assert.throws(() => generate("", header.replace("u8 a", "float a")), /unknown type float/);
});
