// The screen without a browser: SeaBIOS's text, a kernel's console on it, keys into it, pictures of it.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { decode } from "fast-png";
import { dist, guests, lapwing } from "./support.mjs";

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-test-"));
test.after(() => fs.rmSync(temporary, { recursive: true }));

const litPixels = ({ data, channels }) => {
  let lit = 0;
  for (let i = 0; i < data.length; i += channels) if (data[i] > 0x80) lit++;
  return lit;
};

test("firmware says on the screen that there is nothing to boot", async () => {
  const file = path.join(temporary, "firmware.png");
  const flags = ["-m", "64M", "--screenshot", `${file}@No bootable device`, "--timeout-virtual", "10"];
  const { stderr } = await lapwing(flags);
  assert.match(stderr, /10 s of guest time/);
  const picture = decode(fs.readFileSync(file));
  assert.deepEqual([picture.width, picture.height], [720, 400]);
  const lit = litPixels(picture);
  assert.ok(lit > 2000 && lit < 20_000, `${lit} lit pixels`);
});

test("a screenshot that never came is said, and bad flags are refused in one line", async () => {
  const file = path.join(temporary, "never.png");
  const { stderr } = await lapwing([
    "-m",
    "64M",
    "--screenshot",
    `${file}@no such text`,
    "--timeout-virtual",
    "1",
  ]);
  assert.match(stderr, /no screenshot was saved: 'no such text' did not appear/);
  for (const [flags, sentence] of [
    [["-vga", "none", "--screenshot", file], /needs a screen/],
    [["--screenshot", "picture.jpg"], /must end in \.png/],
    [["--screenshot", path.join(temporary, "no/folder.png")], /cannot write/],
    [["-vga", "cga"], /there is only std, none/],
  ]) {
    const { status, stderr: said } = await lapwing(flags);
    assert.equal(status, 2);
    assert.match(said, sentence);
    assert.equal(said.trim().split("\n").length, 1);
  }
});

test("a kernel's console on the screen takes typed keys", { skip: guests.length === 0 }, async () => {
  const { PC } = await import(pathToFileURL(path.join(dist, "lapwing/index.js")).href);
  const { kernel, initrd, memory } = guests[0];
  const vm = await PC.boot({ kernel, initrd, memory, append: "console=tty0", vga: "std" });
  try {
    const until = async (pattern) => {
      for (let i = 0; i < 600; i++) {
        const text = await vm.screen.text();
        if (pattern.test(text)) return text;
        await vm.runFor({ virtualMs: 50 });
      }
      assert.fail(`${pattern} is not on the screen:\n${await vm.screen.text()}`);
    };
    await until(/~ #\s*$/);
    await vm.keyboard.type("echo Sum: $((6*7)); dd if=/dev/zero of=/dev/null count=1 2>&1 | head -1\n");
    await until(/^Sum: 42\n1\+0 records in$/m);
    const picture = decode(await vm.screen.screenshot());
    assert.deepEqual([picture.width, picture.height], [720, 400]);
    assert.ok(litPixels(picture) > 5000);
    const snapshot = await vm.snapshot();
    await vm.keyboard.type("clear\n");
    await until(/^~ #\s*$/);
    await vm.restore(snapshot);
    await until(/^Sum: 42$/m);
  } finally {
    vm.dispose();
  }
});
