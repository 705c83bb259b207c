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
  await said.filter({ hasText: /Stopped in a handler at .*vector 0x/ }).waitFor();
  await panel.getByRole("button", { name: "Run", exact: true }).waitFor();

  const first = await said.innerText();
  await panel.getByRole("button", { name: "Step to next interrupt" }).click();
  await page.waitForFunction(
    (before) => {
      const text = document.querySelector("lapwing-pc").shadowRoot.querySelector(".irq output").textContent;
      return text !== before && text.startsWith("Stopped in a handler");
    },
    first,
    { timeout: 60_000 },
  );
  await panel.getByRole("button", { name: "Step back" }).click();
  await said.filter({ hasText: first }).waitFor({ timeout: 120_000 });

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

test("<lapwing-trace> plays a recorded trace without an engine", { timeout: 120_000 }, async (t) => {
  const server = await servePage();
  t.after(() => server.close());
  const browser = await launchChromium();
  t.after(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 700, height: 600 } });
  const [errors, loaded] = [[], []];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("request", (request) => loaded.push(request.url()));
  await page.route("**/key.lwtrace", (route) => route.fulfill({ body: keyTrace() }));
  const course = `<!doctype html><meta charset="utf-8"><title>Course</title>
    <script type="module" src="lapwing/element.js"></script>
    <lapwing-trace src="key.lwtrace" style="height: 30rem"></lapwing-trace>`;
  await page.route("**/course.html", (route) => route.fulfill({ contentType: "text/html", body: course }));
  await page.goto(new URL("course.html", server.url).href);
  await page.getByRole("button", { name: "Play the trace" }).waitFor();
  assert.ok(!loaded.some((url) => url.endsWith(".lwtrace")), "the trace was loaded before it was asked for");
  await page.getByRole("button", { name: "Play the trace" }).click();
  const player = page.getByRole("region", { name: "Recorded interrupts" });
  await player.getByText("Hop 1 of 5").waitFor();
  await player.getByText("i80420: line raised, GSI 1").first().waitFor();
  for (let i = 0; i < 3; i++) await player.getByRole("button", { name: "Next hop" }).click();
  await player.getByText("Hop 4 of 5").waitFor();
  const here = player
    .getByRole("list", { name: "Stations of this journey" })
    .locator('[aria-current="step"]');
  assert.equal(await here.innerText(), "vector 0x31");
  await player.getByRole("button", { name: "To the last hop" }).click();
  await player.getByText(/EOI after .*: served/).waitFor();
  await player.getByRole("button", { name: "Play", exact: true }).click();
  await player.getByText("Hop 2 of 5").waitFor();
  await player.getByRole("button", { name: "Pause", exact: true }).click();
  assert.ok(!loaded.some((url) => /\.wasm|worker/.test(url)), "an engine was loaded");
  await page.evaluate(() => document.querySelector("lapwing-trace").load(new Uint8Array([1, 2, 3])));
  await page.getByText("not a Lapwing trace").waitFor();
  assert.deepEqual(errors, []);
});

/** A key press: line 1, pin 1, IRR, handler, EOI of vector 0x31 on CPU 0. */
function keyTrace() {
  const hops = [
    { kind: 0, device: 10, line: 1 },
    { kind: 7, device: 3, line: 1, vector: 0x31 },
    { kind: 14, device: 4, vector: 0x31, cpu: 0 },
    { kind: 16, device: 4, vector: 0x31, cpu: 0 },
    { kind: 17, device: 4, vector: 0x31, cpu: 0 },
  ];
  const bytes = Buffer.alloc(32 + 48 * hops.length);
  bytes.write("LWTRACE1", "latin1");
  [1, 32, 48].forEach((value, i) => bytes.writeUInt32LE(value, 8 + 4 * i));
  hops.forEach(({ kind, device, line = 0, vector = 0xffff, cpu = 0xff }, i) => {
    const at = 32 + 48 * i;
    bytes.writeBigUInt64LE(BigInt(100 * i), at);
    bytes.writeBigUInt64LE(BigInt(500 * i), at + 8);
    bytes.writeUInt32LE(7, at + 32);
    bytes.writeUInt32LE(line, at + 36);
    bytes.writeUInt16LE(vector, at + 40);
    for (const [offset, value] of [kind, cpu, device].entries()) bytes.writeUInt8(value, at + 42 + offset);
  });
  return bytes;
}
