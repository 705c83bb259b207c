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

function serveFile(request, response) {
  const bytes = fs.readFileSync(request.url === "/kernel" ? guest.kernel : image);
  const headers = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "content-range, etag",
    etag: '"1"',
  };
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  if (first === undefined || request.url === "/no-ranges") return response.writeHead(200, headers).end(bytes);
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
