// The page in headless Chromium: the default guest, typed into through xterm.js; the element in a sandboxed frame of
// another origin; errors a reader may meet.
import assert from "node:assert/strict";
import test from "node:test";
import {
  guestFlags,
  guests,
  lapwing,
  launchChromium,
  servePage,
  servePages,
  waitForTerminal,
} from "../boot/support.mjs";

const bootSeconds = 240;
const timeout = 400_000;
const start = /^Start|^Try again/;

let browser;
let site;
test.before(async () => {
  browser = await launchChromium();
  site = await servePage();
});
test.after(async () => {
  await browser?.close();
  await site?.close();
});

async function withPage(url, use, options = {}) {
  const page = await browser.newPage(options);
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  try {
    await page.goto(url);
    await use(page, problems);
  } finally {
    await page.close();
  }
}

test("the page loads nothing heavy before a click", () =>
  withPage(site.url, async (page) => {
    const names = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
    assert.ok(names.length > 0);
    assert.doesNotMatch(names.join(" "), /\.wasm|worker\.js|terminal-|vmlinuz/);
  }));

test("the default guest boots in the page and answers what is typed", { timeout }, () =>
  withPage(site.url, async (page, problems) => {
    await page.getByRole("button", { name: start }).click();
    await waitForTerminal(page, /# \s*$/, bootSeconds);
    await page.locator("lapwing-pc .xterm-screen").click();
    await page.keyboard.type("echo $((6*7)); uname -s\n");
    await waitForTerminal(page, /^42\s*\n\s*Linux/m, 30);
    const began = Date.now();
    await page.keyboard.type("sleep 5; echo sle''pt\n");
    await waitForTerminal(page, /^slept/m, 30);
    const seconds = (Date.now() - began) / 1000;
    assert.ok(seconds > 4.9 && seconds < 6, `sleep 5 took ${seconds} s`);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("Paused").waitFor();
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.locator("lapwing-pc .xterm-screen").click();
    await page.keyboard.type("poweroff\n");
    await page.getByText("The guest powered off.").waitFor({ timeout: 30_000 });
    assert.deepEqual(problems, []);
  }),
);

test("the element runs from another origin inside a sandboxed frame", { timeout }, async () => {
  const { name, append } = guests[0];
  const folder = `${site.url}guests/${name}`;
  const other = await servePages({
    "/": `<iframe sandbox="allow-scripts" src="/inner" width="900" height="600"></iframe>`,
    "/inner": `<!doctype html><script type="module" src="${site.url}lapwing/element.js"></script>
      <lapwing-pc kernel="${folder}/vmlinuz" initrd="${folder}/initrd.gz" append="${append}" memory="256M" controls>
      </lapwing-pc>`,
  });
  try {
    await withPage(other.url, async (page, problems) => {
      const [, frame] = page.frames();
      assert.equal(await frame.evaluate(() => self.origin), "null");
      await frame.getByRole("button", { name: start }).click();
      await waitForTerminal(frame, /# \s*$/, bootSeconds);
      await frame.locator("lapwing-pc .xterm-screen").click();
      await page.keyboard.type("echo $((6*7))\n");
      await waitForTerminal(frame, /^42/m, 30);
      assert.deepEqual(problems, []);
    });
  } finally {
    await other.close();
  }
});

test("an embedding page steers the frame through messages of a checked origin", { timeout }, async () => {
  const other = await servePages({
    "/": "<!doctype html><iframe width=800 height=500></iframe>",
    "/wrong": "<!doctype html><iframe></iframe>",
  });
  const talk = (page, origin) =>
    page.evaluate(
      async ({ site, origin, guest }) => {
        const frame = document.querySelector("iframe");
        const heard = [];
        addEventListener("message", ({ data }) => heard.push(data));
        frame.src = `${site}embed.html#guest=${guest}&origin=${encodeURIComponent(origin)}`;
        await new Promise((resolve) => frame.addEventListener("load", resolve));
        await new Promise((resolve) => setTimeout(resolve, 500));
        const send = (message) => frame.contentWindow.postMessage({ lapwing: 1, ...message }, "*");
        send({ type: "ping" });
        send({ type: "dance", id: 1 });
        send({ type: "start", id: 2 });
        const end = Date.now() + 120_000;
        const isDone = () => heard.some(({ type, text }) => type === "serial" && text.length > 0);
        while (origin === location.origin && !isDone() && Date.now() < end)
          await new Promise((resolve) => setTimeout(resolve, 100));
        await new Promise((resolve) => setTimeout(resolve, 300));
        return heard.map(({ type, code }) => (code ? `${type} ${code}` : type));
      },
      { site: site.url, origin, guest: guests[0].name },
    );
  try {
    await withPage(other.url, async (page) => {
      const heard = await talk(page, other.url);
      for (const expected of ["ready", "pong", "error bad_option", "state", "done", "serial"])
        assert.ok(heard.includes(expected), `${expected} in ${heard}`);
    });
    await withPage(`${other.url}/wrong`, async (page) =>
      assert.deepEqual(await talk(page, "https://example.org"), []),
    );
  } finally {
    await other.close();
  }
});

test("the JavaScript interface boots a machine in a page", { timeout }, () =>
  withPage(site.url, async (page) => {
    const answer = await page.evaluate(async (guest) => {
      const { PC } = await import(new URL("lapwing/index.js", location.href).href);
      const vm = await PC.boot({
        ...guest,
        kernel: `guests/${guest.name}/vmlinuz`,
        initrd: `guests/${guest.name}/initrd.gz`,
      });
      try {
        await vm.serial.waitFor(/# $/, { ms: 200_000 });
        await vm.serial.write("echo $((6*7))\r");
        return await vm.serial.waitFor(/^42\r?$/m, { ms: 30_000 });
      } finally {
        vm.dispose();
      }
    }, guests[0]);
    assert.match(answer, /42/);
  }),
);

test("Chromium runs bit for bit as Node does", { timeout: 900_000 }, async () => {
  const every = 40_000_000;
  const stops = Array.from({ length: 5 }, (_, i) => every * (i + 1));
  const flags = [...guestFlags(guests[0]), "--hash-every", String(every), "--timeout-virtual", "100"];
  const { stderr } = await lapwing([...flags, "--expect", "no such text"]);
  const inNode = stops.map((stop) => new RegExp(`^${stop} ([0-9a-f]{16})$`, "m").exec(stderr)?.[1]);
  await withPage(site.url, async (page) => {
    const inChromium = await page.evaluate(
      async ({ stops, guest }) => {
        const { PC } = await import(new URL("lapwing/index.js", location.href).href);
        const files = { kernel: `guests/${guest.name}/vmlinuz`, initrd: `guests/${guest.name}/initrd.gz` };
        const vm = await PC.boot({ ...files, append: guest.append, memory: guest.memory, paused: true });
        try {
          return await vm.hashesAt(stops, { patience: 99 });
        } finally {
          vm.dispose();
        }
      },
      { stops, guest: guests[0] },
    );
    assert.deepEqual(inChromium, inNode);
  });
});

const mishaps = [
  ["denied Workers", () => (globalThis.Worker = undefined), /may not start a Worker/],
  ["a missing engine", (route) => route("**/lapwing.wasm*"), /server answered 404/],
  ["a missing kernel", (route) => route("**/vmlinuz"), /Cannot download the kernel/],
];
for (const [what, cause, pattern] of mishaps) {
  test(`${what}: one clear message and a way to try again`, async () => {
    const page = await browser.newPage();
    try {
      if (cause.length === 0) await page.addInitScript(cause);
      else await cause((glob) => page.route(glob, (route) => route.fulfill({ status: 404 })));
      await page.goto(site.url);
      await page.getByRole("button", { name: start }).click();
      const note = page.locator("lapwing-pc .note.error");
      await note.waitFor({ timeout: 20_000 });
      assert.match(await note.innerText(), pattern);
      assert.ok(await page.getByRole("button", { name: "Try again" }).isVisible());
    } finally {
      await page.close();
    }
  });
}

test("a page whose policy forbids Workers says so", async () => {
  const page = await browser.newPage();
  try {
    await page.route(site.url, async (route) => {
      const response = await route.fetch();
      await route.fulfill({
        response,
        headers: { ...response.headers(), "content-security-policy": "worker-src 'none'" },
      });
    });
    await page.goto(site.url);
    await page.getByRole("button", { name: start }).click();
    await page.getByText("may not start a Worker").first().waitFor({ timeout: 20_000 });
  } finally {
    await page.close();
  }
});
