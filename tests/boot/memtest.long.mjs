// memtest86+ from its CD, by SeaBIOS: a whole pass over 64 MB. It says what it does on the screen alone.
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { discPath } from "../../assets/guests.mjs";
import { dist } from "./support.mjs";

test("memtest86+ finishes a pass over 64 MB without an error", { timeout: 1_200_000 }, async () => {
  const { PC } = await import(pathToFileURL(path.join(dist, "lapwing/index.js")).href);
  const vm = await PC.boot({
    cdrom: discPath("memtest"),
    memory: "64M",
    accel: "jit",
    clock: "virtual",
  });
  try {
    let text = "";
    for (let seconds = 0; seconds < 900; seconds += 5) {
      await vm.runFor({ virtualMs: 5000 });
      text = await vm.screen.text();
      if (/Pass: +[1-9]/.test(text) || /Errors: +[1-9]/.test(text)) break;
    }
    assert.match(text, /Memtest86\+? +v\d/, `the screen shows:\n${text}`);
    assert.match(text, /Pass: +1 +Errors: +0\b/, `the screen shows:\n${text}`);
  } finally {
    vm.dispose();
  }
});
