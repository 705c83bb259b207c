// GRUB from a CD, through SeaBIOS's El Torito: its menu on the serial port, its command line, and what it asks of the
// machine's power.
import assert from "node:assert/strict";
import test from "node:test";
import { discPath } from "../../assets/guests.mjs";
import { lapwing } from "./support.mjs";

const grub = (args) =>
  lapwing(
    ["-m", "128M", "-cdrom", discPath("grub-rescue"), "-boot", "d", "--timeout-virtual", "60", ...args],
    {
      wallSeconds: 240,
    },
  );
const type = (...lines) => [
  ...["--send", "highlighted entry=>c"],
  ...lines.flatMap((line) => ["--send", `grub>=>${line}\\n`]),
];

for (const cpus of ["1", "4"]) {
  test(
    `GRUB shows its menu and powers off by ACPI, with ${cpus} CPUs: status 0`,
    { timeout: 300_000 },
    async () => {
      const { status, stdout, stderr } = await grub(["-smp", cpus, ...type("halt")]);
      assert.equal(status, 0, stderr + stdout.slice(-2000));
      assert.match(stdout, /GNU GRUB {2}version 2/);
      assert.match(stdout, /Memtest86\+/);
    },
  );
}

test("a thousand characters at once reach GRUB's command line whole", { timeout: 300_000 }, async () => {
  const text = Array.from({ length: 1000 }, (_, i) => ((i * i * 7 + 3) % 36).toString(36)).join("");
  const { status, stdout, stderr } = await grub(type(`echo ${text}`, "halt"));
  assert.equal(status, 0, stderr + stdout.slice(-2000));
  const plain = stdout.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "").replace(/\s/g, "");
  assert.equal(plain.split(text).length - 1, 2, "typed and echoed");
});

test("GRUB restarts the machine", { timeout: 300_000 }, async () => {
  const twice = ["--expect", "Welcome to GRUB", "--expect", "Welcome to GRUB"];
  const { status, stdout, stderr } = await grub([...type("reboot"), ...twice]);
  assert.equal(status, 0, stderr + stdout.slice(-2000));
});
