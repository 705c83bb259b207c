// The interrupt panel of the page: what it says agrees with the guest, and it records only while it is open.
import assert from "node:assert/strict";
import test from "node:test";
import { launchChromium, servePage, waitForTerminal } from "../boot/support.mjs";

test("the interrupt panel counts as the guest does, steps and explains", { timeout: 400_000 }, async (t) => {
  const server = await servePage();
  t.after(() => server.close());
  const browser = await launchChromium();
  t.after(() => browser.close());
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(server.url);
  await page.getByRole("button", { name: "Interrupts", exact: true }).click();
  await page
    .getByRole("button", { name: /^start/i })
    .first()
    .click();
  await waitForTerminal(page, /~ # *$/m, 300);
  const panel = page.getByRole("region", { name: "Interrupts", exact: true });

  await panel.getByRole("button", { name: /Ask the guest/ }).click();
  const keyboard = panel.getByRole("row", { name: /^1: IO-APIC/ });
  await keyboard.waitFor({ timeout: 60_000 });
  const [guest, seen] = await keyboard.getByRole("cell").allInnerTexts();
  assert.equal(
    guest.split(" + ").reduce((sum, count) => sum + Number(count), 0),
    Number(seen),
  );
  await panel
    .getByText(/raised GSI 4 \(COM1\) → I\/O APIC pin 4/)
    .first()
    .waitFor();

  const said = panel.locator("output");
  await panel.getByRole("button", { name: "Step to next interrupt" }).click();
  await said.filter({ hasText: /Stopped in a handler: .*vector 0x/ }).waitFor();
  await panel.getByRole("button", { name: "Run", exact: true }).waitFor();

  await panel.getByLabel("Line").selectOption("11");
  await panel.getByRole("button", { name: "Why not served?" }).click();
  await said.filter({ hasText: /I\/O APIC pin 11 is masked\. Written by the guest at 0xffffffff/ }).waitFor();

  await panel.getByText("Local APIC of CPU 0").click();
  const svr = panel.getByRole("row", { name: /^SVR/ });
  await svr.filter({ hasText: /APIC enable 1/ }).waitFor();

  await page.getByRole("button", { name: "Interrupts", exact: true }).click();
  await panel.waitFor({ state: "hidden" });
  assert.deepEqual(errors, []);
});
