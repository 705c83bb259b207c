// Disks on the host's side: overlays, snapshots with overlays, images in pieces from a server and from a Blob.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { loadBundle } from "./load.mjs";

const { Disk, DiskSet, fingerprint } = await loadBundle("web/src/io/disk.ts", {});
const { BytesSource, blobSource, chunkBytes, httpSource } = await loadBundle("web/src/io/disk_source.ts", {});
const { FileSource } = await loadBundle("web/src/io/disk_file.ts", {});

const pattern = (size) => Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 9)) & 255);
const image = pattern(3 * chunkBytes + 512);
const options = { id: "d", interface: "ide" };
const disk = () => new Disk(options, new BytesSource("test", image));
const readOf = (target, offset, size) => {
  const bytes = new Uint8Array(size).fill(0xee);
  assert.ok(target.read(offset, bytes));
  return bytes;
};

test("an overlay covers what was written, sector by sector, and leaves the image alone", () => {
  const target = disk();
  const before = image.slice();
  const written = new Uint8Array(1024).fill(0xaa);
  target.write(65536 - 512, written); // across two clusters
  const expected = image.slice();
  expected.set(written, 65536 - 512);
  assert.deepEqual(readOf(target, 0, image.length), expected);
  assert.deepEqual(readOf(target, 65536 - 512, 1024), written);
  assert.deepEqual(image, before);
});

test("a snapshot carries the overlays, and damage is noticed", () => {
  const from = new DiskSet([disk(), disk()]);
  from.disks[1].write(512, new Uint8Array(512).fill(3));
  from.disks[1].write(chunkBytes, new Uint8Array(2048).fill(4));
  const engine = pattern(1000);
  const bytes = from.attachOverlays(engine);
  const to = new DiskSet([disk(), disk()]);
  const { snapshot, apply } = to.detachOverlays(bytes);
  assert.deepEqual(snapshot, engine);
  assert.equal(readOf(to.disks[1], 512, 512)[0], image[512], "applied too early");
  apply();
  for (const i of [0, 1])
    assert.deepEqual(readOf(to.disks[i], 0, image.length), readOf(from.disks[i], 0, image.length));
  const damaged = bytes.slice();
  damaged[1100] ^= 1;
  assert.throws(() => to.detachOverlays(damaged), /damaged in its disks/);
  assert.throws(() => new DiskSet([disk()]).detachOverlays(bytes), /holds 2 disks, this machine has 1/);
  assert.throws(() => new DiskSet([disk()]).detachOverlays(engine), /holds 0 disks/);
});

test("sizes that no disk has are refused", () => {
  const make =
    (size, more = {}) =>
    () =>
      new Disk({ ...options, ...more }, new BytesSource("x.img", pattern(size)));
  assert.throws(make(0), /x\.img is empty/);
  assert.throws(make(1000), /1000 bytes, which is not a multiple of 512/);
  assert.throws(make(512, { isCd: true }), /not a multiple of 2048/);
  assert.throws(() => new Disk(options, undefined), /needs an image/);
  assert.throws(make(512, { mode: "direct" }), /cannot be written where it is/);
});

async function server(t, answer) {
  const instance = http.createServer(answer).listen(0, "127.0.0.1");
  await new Promise((resolve) => instance.once("listening", resolve));
  t.after(() => instance.close());
  return `http://127.0.0.1:${instance.address().port}/disk.img`;
}
const ranged = (state) => (request, response) => {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  if (first === undefined || state.noRanges) return response.writeHead(200).end("whole");
  state.requests.push(Number(first));
  if (state.fails-- > 0) return response.destroy();
  const headers = { "content-range": `bytes ${first}-${last}/${image.length}`, etag: state.etag };
  response.writeHead(206, headers).end(image.subarray(Number(first), Number(last) + 1));
};
async function fetched(source, offset, size) {
  let rounds = 0;
  while (!source.ready(offset, size)) {
    rounds++;
    await source.settled();
  }
  const bytes = new Uint8Array(size);
  source.read(offset, bytes);
  return { bytes, rounds };
}

test("a server's image comes in pieces, once each, and a broken connection is tried again", async (t) => {
  const state = { requests: [], fails: 0, etag: '"1"' };
  const url = await server(t, ranged(state));
  const progress = [];
  const source = await httpSource("disk", url, (now) => progress.push(now));
  assert.equal(source.size, image.length);
  state.requests.length = 0;
  state.fails = 1;
  const { bytes, rounds } = await fetched(source, chunkBytes - 100, 200);
  assert.deepEqual(bytes, image.slice(chunkBytes - 100, chunkBytes + 100));
  assert.equal(rounds, 1);
  assert.equal((await fetched(source, chunkBytes, 512)).rounds, 0);
  assert.equal(state.requests.length, 3);
  assert.equal(progress.at(-1).fetchedBytes, 2 * chunkBytes);
  assert.deepEqual((await fetched(source, 3 * chunkBytes, 512)).bytes, image.slice(3 * chunkBytes));
  assert.equal(await fingerprint(source), await fingerprint(new BytesSource("same", image)));
});

test("a server without ranges, and an image that changes, are errors", async (t) => {
  const state = { requests: [], fails: 0, etag: '"1"' };
  const url = await server(t, ranged(state));
  const source = await httpSource("disk", url);
  state.etag = '"2"';
  while (!source.ready(0, 512)) await source.settled();
  assert.throws(() => source.read(0, new Uint8Array(512)), /changed on the server/);
  state.noRanges = true;
  while (!source.ready(chunkBytes, 512)) await source.settled();
  assert.throws(() => source.read(chunkBytes, new Uint8Array(512)), /changed on the server/);
  await assert.rejects(httpSource("disk", url), /does not serve parts of files/);
  await assert.rejects(httpSource("disk", "http://127.0.0.1:1/x"), /Cannot download/);
  const empty = await server(t, (_, response) => response.writeHead(416).end());
  await assert.rejects(httpSource("disk", empty), /The disk image disk is empty/);
  const unsized = await server(t, (_, response) => response.writeHead(206).end("x"));
  await assert.rejects(httpSource("disk", unsized), /does not say how large it is/);
});

test("a disk whose image fails says so once, and answers with an error", async (t) => {
  const errors = [];
  const source = new BytesSource("bad", image);
  source.read = () => {
    throw new Error("gone");
  };
  const set = new DiskSet([new Disk(options, source)], (error) => errors.push(error.message));
  const calls = set.doorCalls({ buffer: new ArrayBuffer(4096) });
  assert.equal(calls.disk_read(0, 0, 0, 512), 1);
  assert.equal(calls.disk_read(0, 0, 0, 512), 1);
  assert.equal(calls.disk_write(0, 0, 0, 512), 0);
  assert.deepEqual(errors, ["gone"]);
});

test("a file that somebody else changes, cuts or removes while it is in use", (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-file-"));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, "disk.img");
  const open = (isWritable) => {
    fs.writeFileSync(file, pattern(4096));
    fs.utimesSync(file, 1, 1);
    return new FileSource(fs, file, isWritable);
  };
  const bytes = new Uint8Array(512);
  let source = open(false);
  source.read(0, bytes);
  fs.writeFileSync(file, pattern(4096));
  assert.throws(
    () => source.read(0, bytes),
    /'.*disk\.img' cannot be read: it has changed while it was in use/,
  );
  source = open(false);
  fs.truncateSync(file, 1024);
  assert.throws(() => source.read(0, bytes), /it has changed while it was in use/);
  source = open(true);
  fs.truncateSync(file, 1024);
  assert.throws(() => source.read(2048, bytes), /it has become shorter while it was in use/);
  source = open(false);
  fs.rmSync(file);
  source.read(512, bytes); // an open file stays until it is closed
  assert.deepEqual(bytes, pattern(4096).slice(512, 1024));
});

test("a Blob is read in pieces", async () => {
  const source = blobSource("file", new Blob([image]));
  const { bytes } = await fetched(source, 2 * chunkBytes - 4, 8);
  assert.deepEqual(bytes, image.slice(2 * chunkBytes - 4, 2 * chunkBytes + 4));
});
