// Programs that the build and the tests take from the machine's own Debian, installed when missing.
import fs from "node:fs";
import { requireDebian } from "./apt.mjs";
import { SetupError, say } from "./cache.mjs";
import { capture, findProgram, show } from "./process.mjs";

const command = (name) => () => findProgram(name) !== undefined;
const file =
  (...names) =>
  () =>
    names.some((name) => fs.existsSync(name));

/** Groups of [Debian package, is it there?]. */
const kPackages = {
  toolchain: [
    ["clang-19", command("clang-19")],
    ["lld-19", command("wasm-ld-19")],
    ["llvm-19", command("llvm-ar-19")],
    ["python3", command("python3")],
  ],
  build: [
    ["cmake", command("cmake")],
    ["ninja-build", command("ninja")],
    ["ccache", command("ccache")],
  ],
  guests: [["xz-utils", command("xz")]],
  systems: [
    ["mmdebstrap", command("mmdebstrap")],
    ["uidmap", () => process.getuid() === 0 || command("newuidmap")()],
    ["e2fsprogs", file("/usr/sbin/mke2fs", "/sbin/mke2fs")],
  ],
  test: [
    ["clang-19", command("clang++-19")],
    ["libclang-rt-19-dev", file("/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.asan-x86_64.a")],
    ["catch2", file("/usr/include/catch2/catch.hpp", "/usr/include/catch2/catch_all.hpp")],
    ["g++", command("g++")],
    ["nasm", command("nasm")],
    ["chromium", command("chromium")],
    ["firefox-esr", command("firefox-esr")],
  ],
  lint: [
    ["clang-format-19", command("clang-format-19")],
    ["clang-tidy-19", command("clang-tidy-19")],
  ],
  bench: [
    ["qemu-system-x86", command("qemu-system-x86_64")],
    ["gcc", command("gcc")],
  ],
  kernel: [
    ["gcc", command("gcc")],
    ["make", command("make")],
    ["flex", command("flex")],
    ["bison", command("bison")],
    ["bc", command("bc")],
    ["libelf-dev", file("/usr/include/libelf.h")],
    ["xz-utils", command("xz")],
  ],
};

export const kGroups = Object.keys(kPackages);

function missingPackages(groups) {
  const missing = new Set();
  for (const group of groups) {
    for (const [name, isThere] of kPackages[group]) {
      if (!isThere()) missing.add(name);
    }
  }
  return [...missing];
}

export function ensureHostPackages(groups) {
  const missing = missingPackages(groups);
  if (missing.length === 0) return;
  requireDebian();
  const isRoot = process.getuid() === 0;
  if (!isRoot && !findProgram("sudo")) {
    throw new SetupError(`as root, run: apt-get install ${missing.join(" ")}`);
  }
  const asRoot = (args) => {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const [program, rest] = isRoot ? ["apt-get", args] : ["sudo", ["apt-get", ...args]];
    show(program, rest, { env, stdio: ["inherit", "ignore", "inherit"] });
  };
  say(`installing Debian packages${isRoot ? "" : " (with sudo)"}: ${missing.join(" ")}`);
  const install = ["install", "-y", "-qq", "--no-install-recommends", ...missing];
  try {
    capture("apt-cache", ["show", "--no-all-versions", ...missing]);
  } catch {
    asRoot(["update", "-qq"]);
  }
  try {
    asRoot(install);
  } catch {
    say("that failed; refreshing the package index and trying again");
    asRoot(["update", "-qq"]);
    asRoot(install);
  }
  const still = missingPackages(groups);
  if (still.length > 0) throw new SetupError(`still missing after the installation: ${still.join(" ")}`);
}
