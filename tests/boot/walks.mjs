// The walks: journeys of interrupts of the small Linux guest, recorded in virtual time and normalised. Numbers that a
// rebuilt kernel or engine may change (positions, cause ids, addresses) are left out; order, controllers, pins and
// vectors stay.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { loadBundle } from "../web/load.mjs";
import { findGuest } from "../../assets/guests.mjs";
import { folder, hopLine } from "./hops.mjs";
import { guestFlags, lapwing } from "./support.mjs";
import { initrdWithPrograms } from "../programs/build.mjs";

const { PC } = await loadBundle("web/src/index.ts", {});
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const engineUrl = process.env.LAPWING_WASM ?? path.join(root, "build/wasm/lapwing.wasm");

export { folder, hopLine };

export const journeyLines = (irq) => irq.hops.map(hopLine);

const wrote = (record, device, line, value) =>
  record.kind === "register write" &&
  record.device === device &&
  record.line === line &&
  record.data === value;

/** Boots the small guest on two processors, presses a key, lets a program raise TPR, presses the power button, and picks one example of each walk. */
export async function recordWalks() {
  const guest = findGuest("small");
  if (!guest) throw new Error("the small guest is not in the cache: run `npm run setup`");
  const vm = await PC.boot({
    kernel: guest.kernel,
    initrd: initrdWithPrograms(guest),
    append: guest.append,
    memory: "128M",
    cpus: 2,
    paused: true,
    engineUrl,
  });
  try {
    await vm.irq.start();
    await vm.run();
    await vm.serial.waitFor(/~ # $/, { virtualMs: 60_000 });
    const press = vm.irq.next({ gsi: 1 });
    await vm.keyboard.down("KeyA");
    const pressed = await press;
    const release = vm.irq.next({ gsi: 1 });
    await vm.keyboard.up("KeyA");
    const released = await release;
    vm.serial.write("/bench/tpr\r");
    await vm.serial.waitFor(/tpr done/, { virtualMs: 10_000 });
    const button = vm.irq.next({ gsi: 9 });
    await vm.powerButton();
    const sci = await button;
    const all = await vm.irq.journeys({}, 20_000);
    const exported = async (format) => new TextDecoder().decode(await vm.irq.export(undefined, { format }));
    const records = decoded(await exported("ndjson"));
    const perfetto = await exported("perfetto");
    return {
      pressed,
      released,
      sci,
      all,
      records,
      perfetto,
      writes: records.filter((r) => r.kind === "register write"),
      wrote,
    };
  } finally {
    vm.dispose();
  }
}

const decoded = (text) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => {
      const record = JSON.parse(line);
      return { ...record, rip: BigInt(record.rip), data: BigInt(record.data) };
    });

/**
 * Boots with NVMe disks without message interrupts, of which the last two share an INTx line, and lets the guest read both
 * at once. The command types at a position that is the same in every run, so the recording is, too.
 */
export async function recordSharedLine() {
  const guest = findGuest("small");
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "lapwing-walk-"));
  const trace = path.join(temporary, "trace.ndjson");
  const disks = [0, 1, 2].flatMap((index) => {
    const file = path.join(temporary, `disk${index}`);
    fs.writeFileSync(file, new Uint8Array(1 << 20));
    return ["-drive", `file=${file},if=nvme,format=raw`];
  });
  const read = (n) => `dd if=/dev/nvme${n}n1 of=/dev/null bs=512 iflag=direct 2>/dev/null`;
  try {
    const { status, stdout, stderr } = await lapwing([
      ...guestFlags({ ...guest, memory: "128M", append: `${guest.append} pci=nomsi` }),
      ...["-smp", "2", ...disks, "--trace-irq", trace, "--timeout-virtual", "60"],
      ...["--send", `# $=>${read(1)} & ${read(2)}; wait; echo all re""ad\\n`, "--expect", "all read"],
    ]);
    assert.equal(status, 0, stdout + stderr);
    return decoded(fs.readFileSync(trace, "utf8"));
  } finally {
    fs.rmSync(temporary, { recursive: true });
  }
}
