// Runs v86 in this process: node v86_guest.mjs MEMORY_MIB KERNEL INITRD APPEND, serial console on stdin and stdout.
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { V86 } from "v86";
import { firmwarePath } from "../../assets/guests.mjs";

const [memory, kernel, initrd, append] = process.argv.slice(2);
const bytes = (file) => {
  const { buffer, byteOffset, byteLength } = fs.readFileSync(file);
  return { buffer: buffer.slice(byteOffset, byteOffset + byteLength) };
};

const emulator = new V86({
  wasm_path: fileURLToPath(new URL("../../node_modules/v86/build/v86.wasm", import.meta.url)),
  bios: bytes(firmwarePath("bios.bin")),
  vga_bios: bytes(firmwarePath("vgabios-stdvga.bin")),
  bzimage: bytes(kernel),
  initrd: bytes(initrd),
  cmdline: append,
  memory_size: Number(memory) << 20,
  vga_memory_size: 2 << 20,
  autostart: true,
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
});

let pending = [];
emulator.add_listener("serial0-output-byte", (byte) => {
  if (pending.length === 0)
    setImmediate(() => {
      process.stdout.write(Buffer.from(pending));
      pending = [];
    });
  pending.push(byte);
});
process.stdin.setEncoding("utf8").on("data", (text) => emulator.serial0_send(text));
