// A private apt: its own sources, lists and cache below the user's cache folder; the system's stay untouched.
// Mirrors are those of the machine's own sources; indexes must be signed by Debian's archive keys.
import fs from "node:fs";
import path from "node:path";
import { SetupError, cachePath, say, sha256File } from "./cache.mjs";
import { downloadResumable } from "./download.mjs";
import { capture, findProgram } from "./process.mjs";

const kKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

function osRelease() {
  const fields = {};
  for (const file of ["/etc/os-release", "/usr/lib/os-release"]) {
    if (!fs.existsSync(file)) continue;
    for (const line of fs.readFileSync(file, "utf8").split("\n")) {
      const match = /^(\w+)="?(.*?)"?$/.exec(line);
      if (match) fields[match[1]] = match[2];
    }
    break;
  }
  return fields;
}

export function requireDebian() {
  const release = osRelease();
  if (release.ID !== "debian" || !findProgram("apt-get") || !findProgram("dpkg")) {
    throw new SetupError(
      "automatic set-up needs Debian 12 or 13; elsewhere put emcc (3.1.69 or newer), cmake, ninja and clang on PATH",
    );
  }
  return release.VERSION_CODENAME;
}

/** The machine's Debian mirrors: { main: [URI], security: [URI] }. */
function machineMirrors(codename) {
  const listing = capture("apt-get", ["indextargets", "--format", "$(CREATED_BY)|$(REPO_URI)|$(RELEASE)"]);
  const mirrors = { main: new Set(), security: new Set() };
  for (const line of listing.split("\n")) {
    const [kind, uri, release] = line.split("|");
    if (kind !== "Packages") continue;
    if (release === codename || release === "stable") mirrors.main.add(uri);
    if (release === `${codename}-security` || release === "stable-security") mirrors.security.add(uri);
  }
  if (mirrors.main.size === 0) {
    throw new SetupError(`apt's sources list no mirror for Debian ${codename}; add one and run again`);
  }
  return mirrors;
}

export class PrivateApt {
  /** suite: Debian code name; architectures: the first is the native one. */
  constructor(suite, architectures) {
    this.suite = suite;
    this.architectures = architectures;
    this.home = cachePath("apt", `${suite}-${architectures.join("-")}`);
    this.updated = false;
  }

  /** The lines of sources.list: { main: [line], security: [line] }. */
  sources() {
    const mirrors = machineMirrors(requireDebian());
    if (!fs.existsSync(kKeyring)) {
      throw new SetupError("Debian's archive keys are missing: install the package debian-archive-keyring");
    }
    const options = `[arch=${this.architectures.join(",")} signed-by=${kKeyring}]`;
    const lines = (uris, suite) => [...uris].map((uri) => `deb ${options} ${uri} ${suite} main`);
    return {
      main: lines(mirrors.main, this.suite),
      security: lines(mirrors.security, `${this.suite}-security`),
    };
  }

  configure_() {
    for (const folder of ["lists/partial", "cache/archives/partial", "debs"]) {
      fs.mkdirSync(path.join(this.home, folder), { recursive: true });
    }
    const { main, security } = this.sources();
    fs.writeFileSync(path.join(this.home, "sources.list"), [...main, ...security].join("\n") + "\n");
    fs.writeFileSync(path.join(this.home, "status"), "");
    const settings = {
      "Dir::Etc::SourceList": path.join(this.home, "sources.list"),
      "Dir::Etc::SourceParts": "/dev/null",
      "Dir::State::Lists": path.join(this.home, "lists"),
      "Dir::State::status": path.join(this.home, "status"),
      "Dir::Cache": path.join(this.home, "cache"),
      "APT::Architecture": this.architectures[0],
      "APT::Sandbox::User": "",
      "Acquire::Languages": "none",
      "Acquire::Retries": "3",
    };
    const text = Object.entries(settings).map(([key, value]) => `${key} "${value}";\n`);
    text.push(`APT::Architectures { ${this.architectures.map((arch) => `"${arch}";`).join(" ")} };\n`);
    fs.writeFileSync(path.join(this.home, "apt.conf"), text.join(""));
  }

  run_(program, args) {
    const env = { ...process.env, APT_CONFIG: path.join(this.home, "apt.conf"), LC_ALL: "C.UTF-8" };
    return capture(program, args, { env, cwd: path.join(this.home, "debs") });
  }

  update() {
    if (this.updated) return;
    this.configure_();
    say(`reading Debian ${this.suite}'s package index (${this.architectures.join(", ")})`);
    try {
      this.run_("apt-get", ["update", "-qq", "--error-on=any"]);
    } catch {
      const hasIndex = fs
        .readdirSync(path.join(this.home, "lists"))
        .some((name) => name.includes("_Packages"));
      if (!hasIndex) {
        throw new SetupError(
          `cannot read Debian ${this.suite}'s package index; check the network and run again`,
        );
      }
      say("a package index could not be read (mirror out of step?); going on with the others");
    }
    this.updated = true;
  }

  /** The newest version's record: { name, architecture, version, sha256, size, depends }. */
  show(name, architecture = this.architectures[0]) {
    this.update();
    const text = this.run_("apt-cache", ["show", "--no-all-versions", `${name}:${architecture}`]);
    const field = (key) => new RegExp(`^${key}: (.*)$`, "m").exec(text)?.[1] ?? "";
    return {
      name,
      architecture: field("Architecture"),
      version: field("Version"),
      sha256: field("SHA256"),
      size: Number(field("Size")),
      depends: field("Depends"),
    };
  }

  qualified_({ name, architecture, version }) {
    return `${architecture === "all" ? name : `${name}:${architecture}`}=${version}`;
  }

  /** Downloads a package, checked against the signed index, and returns the .deb's path. */
  async download(record) {
    const folder = path.join(this.home, "debs");
    const megabytes = (record.size / 1e6).toFixed(record.size < 1e7 ? 1 : 0);
    say(`downloading ${record.name} ${record.version} (${megabytes} MB)`);
    const name = `${record.name}_${record.version.replaceAll(":", "%3a")}_${record.architecture}.deb`;
    const file = path.join(folder, name);
    if (fs.existsSync(file) && sha256File(file) === record.sha256) return file;
    fs.rmSync(file, { force: true });
    const uri = /^'(.*?)'/.exec(
      this.run_("apt-get", ["download", "--print-uris", this.qualified_(record)]),
    )?.[1];
    try {
      if (!uri?.startsWith("http") || this.usesProxy_()) throw new Error("left to apt");
      await downloadResumable(uri, file, record);
    } catch {
      this.downloadByApt_(record);
    }
    return file;
  }

  usesProxy_() {
    if (process.env.http_proxy || process.env.https_proxy) return true;
    const text = this.run_("apt-config", ["dump"]);
    return /^Acquire::(https?::)?Proxy(-Auto-Detect)?\b.* "[^"]+";$/im.test(text);
  }

  downloadByApt_(record) {
    try {
      this.run_("apt-get", ["download", "-q", this.qualified_(record)]);
    } catch (error) {
      throw new SetupError(`cannot download ${record.name}: ${error.message}; run again to resume`);
    }
  }

  extract(deb, directory) {
    capture("dpkg-deb", ["-x", deb, directory]);
  }

  /** Drops downloaded packages once they are unpacked. */
  clean() {
    fs.rmSync(path.join(this.home, "debs"), { recursive: true, force: true });
    fs.mkdirSync(path.join(this.home, "debs"), { recursive: true });
  }
}
