// Emscripten: the one on PATH if new enough, else Debian 13's packages unpacked into the cache.
// binaryen there needs a newer C library than Debian 12 has, so its tools start through Debian 13's own loader.
import fs from "node:fs";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { PrivateApt, requireDebian } from "./apt.mjs";
import { SetupError, buildDirectory, cachePath, say, writeAtomic } from "./cache.mjs";
import { capture, findProgram } from "./process.mjs";

const kMinimum = [3, 1, 69];
const kSuite = "trixie";
const kPackages = ["emscripten", "binaryen", "node-acorn", "libc6", "libstdc++6", "libgcc-s1"];
const kLayout = 1;

function emccVersion(program) {
  const result = spawnSync(program, ["--version"], { encoding: "utf8" });
  const match = /(\d+)\.(\d+)\.(\d+)/.exec(result.stdout ?? "");
  return match ? match.slice(1).map(Number) : undefined;
}

function isNewEnough(version) {
  if (!version) return false;
  for (let i = 0; i < 3; i++) {
    if (version[i] !== kMinimum[i]) return version[i] > kMinimum[i];
  }
  return true;
}

function fromPath() {
  const program = findProgram("emcc");
  if (!program) return undefined;
  const version = emccVersion(program);
  if (isNewEnough(version)) return path.dirname(program);
  say(
    `emcc on PATH is ${version?.join(".") ?? "of unknown version"}, older than ${kMinimum.join(".")}: not used`,
  );
  return undefined;
}

function wrapBinaryen(root, home) {
  const folder = path.join(root, "binaryen", "bin");
  fs.mkdirSync(folder, { recursive: true });
  const lib = path.join(home, "usr/lib/x86_64-linux-gnu");
  for (const name of fs.readdirSync(path.join(root, "usr/bin"))) {
    if (!name.startsWith("wasm")) continue;
    const command = `exec "${lib}/ld-linux-x86-64.so.2" --library-path "${lib}" "${home}/usr/bin/${name}" "$@"`;
    fs.writeFileSync(path.join(folder, name), `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  }
}

function prune(root) {
  const emscripten = path.join(root, "usr/share/emscripten");
  for (const name of ["test", "docs", "media"])
    fs.rmSync(path.join(emscripten, name), { recursive: true, force: true });
  for (const name of ["doc", "man", "lintian"])
    fs.rmSync(path.join(root, "usr/share", name), { recursive: true, force: true });
  const libraries = path.join(emscripten, "cache/sysroot/lib/wasm32-emscripten");
  const unused = (name) =>
    /^lib(GL-.*-|SDL|html5_)|-(mt|ww)(-|\.)/.test(name) && name !== "libGL-getprocaddr.a";
  const visit = (folder) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const full = path.join(folder, entry.name);
      if (entry.isDirectory()) visit(full);
      else if (unused(entry.name)) fs.rmSync(full);
    }
  };
  for (const name of ["pic", "lto", "lto-pic"])
    fs.rmSync(path.join(libraries, name), { recursive: true, force: true });
  visit(libraries);
}

function configuration(home) {
  const lines = [
    "LLVM_ROOT = '/usr/bin'",
    "LLVM_ADD_VERSION = '19'",
    "CLANG_ADD_VERSION = '19'",
    `BINARYEN_ROOT = '${path.join(home, "binaryen")}'`,
    `NODE_JS = '${process.execPath}'`,
    "FROZEN_CACHE = True",
  ];
  const ccache = findProgram("ccache");
  if (ccache) lines.push(`COMPILER_WRAPPER = '${ccache}'`);
  return lines.join("\n") + "\n";
}

/** Keeps the configuration in step with this Node and with ccache. */
function writeConfiguration(home) {
  const file = path.join(home, "usr/share/emscripten/.emscripten");
  const text = configuration(home);
  if (!fs.existsSync(file) || fs.readFileSync(file, "utf8") !== text) writeAtomic(file, text);
}

async function install(home) {
  if (process.arch !== "x64") {
    throw new SetupError(
      "Emscripten is set up automatically only on x86-64; install emsdk 3.1.69 or newer and put emcc on PATH",
    );
  }
  const apt = new PrivateApt(kSuite, ["amd64"]);
  const records = kPackages.map((name) => apt.show(name));
  await buildDirectory(home, async (root) => {
    for (const record of records) {
      const deb = await apt.download(record);
      say(`unpacking ${record.name}`);
      apt.extract(deb, root);
    }
    prune(root);
    wrapBinaryen(root, home);
    fs.mkdirSync(path.join(root, "usr/share/emscripten/node_modules"), { recursive: true });
    fs.cpSync(
      path.join(root, "usr/share/nodejs/acorn"),
      path.join(root, "usr/share/emscripten/node_modules/acorn"),
      {
        recursive: true,
        dereference: true,
      },
    );
    const packages = Object.fromEntries(
      records.map((r) => [r.name, { version: r.version, sha256: r.sha256 }]),
    );
    fs.writeFileSync(
      path.join(root, "packages.json"),
      JSON.stringify({ suite: kSuite, packages }, null, 2) + "\n",
    );
  });
  apt.clean();
}

/** Compiles and runs a C++20 program, so that a broken toolchain is found here and not in the build. */
function verify(bin) {
  const folder = cachePath("toolchain", "verify");
  fs.mkdirSync(folder, { recursive: true });
  const source = path.join(folder, "hello.cpp");
  const output = path.join(folder, "hello.wasm");
  fs.writeFileSync(
    source,
    "#include <bit>\n#include <concepts>\n#include <span>\n" +
      'extern "C" __attribute__((export_name("sum"))) int sum(int n) {\n' +
      "  int v[3] = {n, 2, std::bit_cast<int>(3u)}; int s = 0;\n" +
      "  for (int x : std::span<int>(v)) s += x;\n  return s;\n}\n",
  );
  capture(path.join(bin, "em++"), [
    "-std=c++20",
    "-O1",
    "-sSTANDALONE_WASM",
    "--no-entry",
    source,
    "-o",
    output,
  ]);
  const program = `WebAssembly.instantiate(require("fs").readFileSync(${JSON.stringify(output)}),{})
    .then(({instance}) => { instance.exports._initialize(); console.log(instance.exports.sum(37)); })`;
  const answer = capture(process.execPath, ["-e", program]).trim();
  if (answer !== "42")
    throw new SetupError(`the C++ toolchain at ${bin} produces wrong code (got ${answer})`);
  fs.rmSync(folder, { recursive: true, force: true });
}

/** Makes Emscripten available and records its directory in toolchain/bin-path; returns that directory. */
export async function ensureEmscripten(installHostPackages) {
  const record = cachePath("toolchain", "bin-path");
  const recorded = fs.existsSync(record) ? fs.readFileSync(record, "utf8").trim() : "";
  const own = fromPath();
  if (own) {
    if (own !== recorded) {
      verify(own);
      writeAtomic(record, own + "\n");
      say(`using Emscripten from ${own}`);
    }
    return own;
  }
  installHostPackages();
  const home = cachePath("toolchain", `emscripten-${kSuite}-${kLayout}`);
  const bin = path.join(home, "usr/share/emscripten");
  const isFresh = !fs.existsSync(path.join(home, "packages.json"));
  if (isFresh) {
    requireDebian();
    say("no Emscripten 3.1.69 or newer on PATH: taking Debian 13's (about 250 MB to download, once)");
    try {
      await install(home);
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      throw new SetupError(`no Emscripten: ${error.message}, or put emcc 3.1.69 or newer on PATH`);
    }
  }
  writeConfiguration(home);
  if (isFresh || recorded !== bin) {
    verify(bin);
    writeAtomic(record, bin + "\n");
    say(`Emscripten is ready in ${bin}`);
  }
  return bin;
}
