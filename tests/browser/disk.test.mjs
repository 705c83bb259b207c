// Disks in headless Chromium: an image in HTTP ranges and an image in a Blob give the same run as a file in Node, and the
// guest stands still, unaware, while pieces come.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { findGuest } from "../../assets/guests.mjs";
import { hasDiskTools, writeExt4Image } from "../../assets/recipes/disk_image.mjs";
import { launchChromium, root, servePage } from "../boot/support.mjs";
import { loadBundle } from "../web/load.mjs";

const guest = findGuest("small");
const skip = hasDiskTools() ? false : "e2fsprogs (mke2fs) is not installed";
const append = "console=ttyS0 quiet root=/dev/nvme0n1 rw init=/read";
const stops = [250_000_000, 290_000_000];
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-disk-"));

let browser;
let site;
let files;
let image;
let requests = 0;
let pieces = 0;
test.before(async () => {
  if (skip) return;
  image = path.join(temporary, "root.img");
  const script = "#!/bin/busybox sh\n/bin/busybox md5sum /big\nexec /init\n";
  const big = Buffer.alloc(4 << 20, "Lapwings nest on the ground.\n");
  writeExt4Image(image, fs.readFileSync(guest.initrd), 32, { read: script, big });
  browser = await launchChromium();
  site = await servePage();
  files = http.createServer(serveFile).listen(0, "127.0.0.1");
  await new Promise((resolve) => files.once("listening", resolve));
});
test.after(async () => {
  await browser?.close();
  await site?.close();
  files?.close();
  fs.rmSync(temporary, { recursive: true });
});

/** Images that are no good from the start, by name; all others are the disk or the kernel. */
const odd = { "/odd": Buffer.alloc(1000), "/empty": Buffer.alloc(0) };
/** Of these two, only so many pieces can be had. */
const soundPieces = 10;

function serveFile(request, response) {
  const bytes = odd[request.url] ?? fs.readFileSync(request.url === "/kernel" ? guest.kernel : image);
  const isSpoilt = ["/changing", "/breaking"].includes(request.url) && ++pieces > soundPieces;
  const headers = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "content-range, etag",
    ...(request.url === "/unsized" && { "access-control-expose-headers": "etag" }),
    etag: isSpoilt ? '"2"' : '"1"',
  };
  if (request.url === "/missing") return response.writeHead(404, headers).end();
  if (isSpoilt && request.url === "/breaking") return response.writeHead(500, headers).end();
  if (bytes.length === 0 && request.headers.range) return response.writeHead(416, headers).end();
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  const isOutdated = ![undefined, headers.etag].includes(request.headers["if-range"]);
  if (first === undefined || isOutdated || request.url === "/no-ranges")
    return response.writeHead(200, headers).end(bytes);
  requests++;
  const range = `bytes ${first}-${last}/${bytes.length}`;
  response.writeHead(206, { ...headers, "content-range": range }).end(bytes.subarray(+first, +last + 1));
}

/** Boots in the page and hashes at the stops; `kind` is where the image comes from. */
const inPage = (page, kind) =>
  page.evaluate(
    async ({ base, disk, kind, append, stops }) => {
      const { PC } = await import(new URL("lapwing/index.js", location.href).href);
      const nvme = kind === "blob" ? await (await fetch(`${disk}/image`)).blob() : `${disk}/${kind}`;
      const vm = await PC.boot({ kernel: `${disk}/kernel`, append, memory: "128M", nvme, paused: true });
      let most = 0;
      vm.on("disk", ({ fetchedBytes }) => (most = Math.max(most, fetchedBytes)));
      const hashes = await vm.hashesAt(stops);
      vm.dispose();
      return { hashes, most, base };
    },
    { base: site.url, disk: `http://127.0.0.1:${files.address().port}`, kind, append, stops },
  );

test("HTTP ranges and a Blob run as a file in Node does", { skip, timeout: 400_000 }, async () => {
  const { PC } = await loadBundle("web/src/index.ts", {});
  const engineUrl = process.env.LAPWING_WASM ?? path.join(root, "build/wasm/lapwing.wasm");
  const vm = await PC.boot({
    kernel: guest.kernel,
    append,
    memory: "128M",
    nvme: image,
    paused: true,
    engineUrl,
  });
  const expected = await vm.hashesAt(stops);
  vm.dispose();
  const page = await browser.newPage();
  await page.goto(site.url);
  const ranges = await inPage(page, "image");
  assert.deepEqual(ranges.hashes, expected, "HTTP ranges");
  assert.ok(requests > 5, `${requests} requests`);
  assert.ok(ranges.most > 0 && ranges.most < 16 << 20, `${ranges.most} bytes of 32 MiB were fetched`);
  const blob = await inPage(page, "blob");
  assert.deepEqual(blob.hashes, expected, "Blob");
  await assert.rejects(inPage(page, "no-ranges"), /does not serve parts of files/);
  await page.close();
});

test("images that cannot be used are refused in a sentence", { skip, timeout: 400_000 }, async () => {
  const page = await browser.newPage();
  await page.goto(site.url);
  const server = `http://127.0.0.1:${files.address().port}`;
  const refusal = (image) =>
    page.evaluate(
      async ({ kernel, image }) => {
        const { PC } = await import(new URL("lapwing/index.js", location.href).href);
        const nvme = typeof image === "number" ? new Blob([new Uint8Array(image)]) : image;
        try {
          const vm = await PC.boot({ kernel, memory: "128M", nvme, paused: true });
          vm.dispose();
          return "no error";
        } catch (error) {
          return `${error.code}: ${error.message}`;
        }
      },
      { kernel: `${server}/kernel`, image },
    );
  for (const [image, pattern] of [
    [`${server}/odd`, /1000 bytes, which is not a multiple of 512/],
    [`${server}/empty`, /is empty/],
    [`${server}/missing`, /404/],
    [`${server}/unsized`, /does not say how large it is.*Expose-Headers/],
    [`${server}/no-ranges`, /does not serve parts of files/],
    ["http://127.0.0.1:1/x", /Cannot download/],
    [1000, /1000 bytes, which is not a multiple of 512/],
    [0, /is empty/],
  ]) {
    const message = await refusal(image);
    assert.match(message, pattern, `${image}`);
    assert.equal(message.split("\n").length, 1, message);
  }
  await page.close();
});

for (const [kind, pattern] of [
  ["changing", /changed on the server/],
  ["breaking", /500/],
]) {
  test(
    `an image ${kind} under the guest: it gets an error, the page a sentence, once`,
    { skip, timeout: 400_000 },
    async () => {
      pieces = 0;
      const page = await browser.newPage();
      await page.goto(site.url);
      const seen = await page.evaluate(
        async ({ server, kind, append }) => {
          const { PC } = await import(new URL("lapwing/index.js", location.href).href);
          const nvme = `${server}/${kind}`;
          const vm = await PC.boot({
            kernel: `${server}/kernel`,
            append,
            memory: "128M",
            nvme,
            clock: "virtual",
          });
          const errors = [];
          vm.on("diskError", (error) => errors.push(error.message));
          await vm.serial.waitFor(/I\/O error|critical medium error|panic/, { ms: 120_000 });
          vm.dispose();
          return errors;
        },
        { server: `http://127.0.0.1:${files.address().port}`, kind, append: append.replace("quiet ", "") },
      );
      assert.equal(seen.length, 1, seen.join("\n"));
      assert.match(seen[0], pattern);
      await page.close();
    },
  );
}

test("the element boots from the image that its attribute names", { skip, timeout: 400_000 }, async () => {
  const page = await browser.newPage();
  await page.goto(site.url);
  const disk = `http://127.0.0.1:${files.address().port}`;
  await page.evaluate(
    async ({ disk, append }) => {
      await import(new URL("lapwing/element.js", location.href).href);
      const element = document.createElement("lapwing-pc");
      const attributes = {
        kernel: `${disk}/kernel`,
        nvme: `${disk}/image`,
        append,
        memory: "128M",
        controls: "",
      };
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      document.body.replaceChildren(element);
      await element.start();
    },
    { disk, append },
  );
  const status = page.locator("lapwing-pc .disk");
  await status.getByText(/the disk nvme, \d+\.\d of 32\.0 MiB/).waitFor({ timeout: 120_000 });
  await page
    .locator("lapwing-pc .xterm-screen")
    .getByText(/poweroff stops the machine/)
    .waitFor({ timeout: 240_000 });
  await page.close();
});
