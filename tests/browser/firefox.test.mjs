// The page in Debian's Firefox, steered through WebDriver BiDi.
import assert from "node:assert/strict";
import fs from "node:fs";
import test from "node:test";
import { Firefox } from "./bidi.mjs";
import { servePage } from "../boot/support.mjs";

const executable = process.env.FIREFOX ?? ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find(fs.existsSync);
const bootSeconds = 300;
const rows = 'document.querySelector("lapwing-pc").shadowRoot.querySelector(".xterm-rows")?.innerText ?? ""';
const cover = 'document.querySelector("lapwing-pc").shadowRoot.querySelector(".cover").innerText';

async function waitForTerminal(firefox, pattern, seconds) {
  const end = Date.now() + seconds * 1000;
  let text = "";
  while (Date.now() < end) {
    text = (await firefox.evaluate(rows)).replace(/\u00a0/g, " ");
    if (pattern.test(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  throw new Error(
    `${pattern} did not appear within ${seconds} s: ${await firefox.evaluate(cover)}\n${text.trim()}`,
  );
}

test("the default guest boots in Firefox and answers what is typed", { timeout: 500_000 }, async () => {
  assert.ok(executable, "firefox-esr is not installed: run `npm run setup`");
  const site = await servePage();
  const firefox = await Firefox.launch(executable);
  try {
    await firefox.open(site.url);
    const start = 'document.querySelector("lapwing-pc").shadowRoot.querySelector(".start")';
    await firefox.evaluate(`new Promise((resolve) => setTimeout(resolve, 500)).then(() => ${start}.click())`);
    await waitForTerminal(firefox, /# \s*$/, bootSeconds);
    await firefox.evaluate(
      'document.querySelector("lapwing-pc").shadowRoot.querySelector("textarea").focus()',
    );
    await firefox.type("echo $((6*7))\n");
    await waitForTerminal(firefox, /^42/m, 60);
  } finally {
    await firefox.close();
    await site.close();
  }
});
