// The guests' initramfs: static busybox, a few kernel modules, and the scripts below.
import zlib from "node:zlib";
import { writeCpio } from "./cpio.mjs";

const kInit = `#!/bin/busybox sh
/bin/busybox --install -s
export PATH=/sbin:/usr/sbin:/bin:/usr/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts 2>/dev/null
mount -t tmpfs tmpfs /tmp 2>/dev/null
dmesg -n 5
hostname lapwing
ifconfig lo up 2>/dev/null
for module in /lib/modules/*.ko; do
  [ -e "$module" ] && insmod "$module"
done
exec /sbin/init
`;

const kInittab = `::respawn:/etc/console
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/umount -a -r
`;

const kConsole = `#!/bin/sh
cd /root
exec cttyhack sh -l
`;

const kProfile = `export HOME=/root PATH=/sbin:/usr/sbin:/bin:/usr/bin
export PS1='\\w # '
case "$(tty)" in
  /dev/ttyS*)
    export TERM=xterm
    resize >/dev/null 2>/dev/tty
    ;;
  *) export TERM=linux ;;
esac
echo "Lapwing: Linux $(uname -r) on $(uname -m). poweroff stops the machine."
`;

/** busybox: bytes; modules: [{ name, data }] in load order. Returns the gzipped archive. */
export function buildInitramfs(busybox, modules) {
  const entries = {
    bin: { directory: true },
    "bin/busybox": { data: busybox, mode: 0o755 },
    dev: { directory: true },
    "dev/console": { device: [5, 1], mode: 0o600 },
    "dev/null": { device: [1, 3], mode: 0o666 },
    etc: { directory: true },
    "etc/console": { data: kConsole, mode: 0o755 },
    "etc/group": { data: "root:x:0:\n" },
    "etc/inittab": { data: kInittab },
    "etc/passwd": { data: "root::0:0:root:/root:/bin/sh\n" },
    "etc/profile": { data: kProfile },
    init: { data: kInit, mode: 0o755 },
    lib: { directory: true },
    "lib/modules": { directory: true },
    mnt: { directory: true },
    proc: { directory: true },
    root: { directory: true, mode: 0o700 },
    sbin: { directory: true },
    sys: { directory: true },
    tmp: { directory: true, mode: 0o1777 },
    usr: { directory: true },
    "usr/bin": { directory: true },
    "usr/sbin": { directory: true },
    var: { directory: true },
    "var/run": { directory: true },
  };
  modules.forEach(({ name, data }, i) => {
    entries[`lib/modules/${String(i).padStart(2, "0")}-${name}.ko`] = { data };
  });
  return zlib.gzipSync(writeCpio(entries), { level: 9 });
}
