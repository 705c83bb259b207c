# mmdebstrap's customize hook of the Debian image: $1 is the root folder, LAPWING_UUID the file system's UUID.
set -e
root=$1
version=$(basename "$root"/boot/vmlinuz-* | sed s/vmlinuz-//)

echo lapwing > "$root/etc/hostname"
printf '127.0.0.1 localhost lapwing\n' > "$root/etc/hosts"
echo 6c617077696e67000000000000000001 > "$root/etc/machine-id"
printf 'UUID=%s / ext4 errors=remount-ro 0 1\n' "$LAPWING_UUID" > "$root/etc/fstab"
printf '[Match]\nName=en*\n[Network]\nDHCP=yes\n' > "$root/etc/systemd/network/80-dhcp.network"

# root has no password: the image is for an emulator, and nothing listens.
chroot "$root" passwd --quiet --delete root
chroot "$root" systemctl --quiet enable serial-getty@ttyS0.service
chroot "$root" systemctl --quiet disable apt-daily.timer apt-daily-upgrade.timer

# The initramfs holds the drivers of this machine's disks, not those of every disk there is.
# It checks the root before it is mounted (which it arranges only where it can see the root's device, or is told).
printf 'MODULES=list\nFSTYPE=ext4\n' > "$root/etc/initramfs-tools/conf.d/lapwing"
printf '%s\n' ext4 sd_mod ata_piix nvme virtio_pci virtio_blk >> "$root/etc/initramfs-tools/modules"
chroot "$root" update-initramfs -u -k "$version"

mkdir -p "$root/boot/grub/i386-pc"
cp "$root"/usr/lib/grub/i386-pc/*.mod "$root"/usr/lib/grub/i386-pc/*.lst "$root/boot/grub/i386-pc/"
cp "$root/usr/lib/grub/i386-pc/boot.img" "$root/boot/grub/i386-pc/"
chroot "$root" grub-mkimage -O i386-pc -o /boot/grub/i386-pc/core.img -p '(,msdos1)/boot/grub' \
  biosdisk part_msdos ext2 normal

entry() {
  printf 'menuentry "%s" {\n' "$1"
  printf '  linux /boot/vmlinuz-%s root=UUID=%s ro console=tty0 console=ttyS0,115200%s\n' "$version" "$LAPWING_UUID" "$2"
  printf '  initrd /boot/initrd.img-%s\n}\n' "$version"
}
{
  printf 'set timeout=2\n'
  entry 'Debian GNU/Linux'
  entry 'Debian GNU/Linux, file system check' ' fsck.mode=force'
  entry 'Debian GNU/Linux, rescue' ' systemd.unit=rescue.target'
} > "$root/boot/grub/grub.cfg"
