// The page's screen: text, keys, paste, lock lights, the terminal behind it.
import assert from "node:assert/strict";
import test from "node:test";
import { launchChromium, servePage } from "../boot/support.mjs";

test("a guest boots on the page's screen and is used there", { timeout: 400_000 }, async (t) => {
  const server = await servePage();
  t.after(() => server.close());
  const browser = await launchChromium();
  t.after(() => browser.close());
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(server.url);
  await page.getByText("Settings").click();
  await page.getByLabel("Console").selectOption("screen");
  await page
    .getByRole("button", { name: /^start/i })
    .first()
    .click();
  const text = page.getByLabel("Text on the screen");
  const waitFor = (pattern, seconds = 60) =>
    text.filter({ hasText: pattern }).waitFor({ state: "attached", timeout: seconds * 1000 });
  await waitFor(/~ #\s*$/, 300);

  await page.keyboard.type("echo ");
  const shifted = ["4", "9", "9"].map((digit) => `Shift+Digit${digit}`);
  for (const key of [...shifted, "6", "Shift+Digit8", "7", "Shift+Digit0", "Shift+Digit0"])
    await page.keyboard.press(key);
  await page.keyboard.type("-typed");
  await page.keyboard.press("Enter");
  await waitFor(/42-typed/);
  await page.keyboard.press("CapsLock");
  await page.getByRole("img", { name: "Lock lights: Caps" }).waitFor();

  const isPainted = await page.evaluate(() => {
    const { shadowRoot } = document.querySelector("lapwing-pc");
    const canvas = shadowRoot.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const { width, height } = canvas.getBoundingClientRect();
    return { lit: data.filter((value, i) => i % 4 === 0 && value > 128).length, ratio: width / height };
  });
  assert.ok(isPainted.lit > 1000, `${isPainted.lit} lit pixels`);
  assert.ok(Math.abs(isPainted.ratio - 4 / 3) < 0.01, `aspect ${isPainted.ratio}`);

  await page.getByRole("button", { name: "Screen", exact: true }).click();
  await page.locator("lapwing-pc .xterm-screen").waitFor();
  assert.deepEqual(errors, []);
});
