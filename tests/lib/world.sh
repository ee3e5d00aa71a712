#!/bin/bash
# Makes a host in the namespaces that it is started in, and stays as its process 1. For
# tests/lib/world.py.
#
#   tests/lib/world.sh FOLDER NAME
#   tests/lib/world.sh try            only says what it cannot do here
#
# FOLDER has the empty folders scratch, root and disk; FOLDER/pid says that the host is up, and what
# its process 1 is called outside.
set -eu

# The files of this machine, changed in memory alone: $1/root, if $1/scratch is in memory.
overlay() {
    mkdir "$1/scratch/upper" "$1/scratch/work"
    mount -t overlay -o "lowerdir=/,upperdir=$1/scratch/upper,workdir=$1/scratch/work" overlay "$1/root"
}

if [ "$1" = try ]; then
    ip link set lo up
    [ -c /dev/fuse ] || { echo "there is no /dev/fuse" >&2; exit 1; }
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/scratch /mnt/root
    overlay /mnt
    exit
fi

cd "$1"
read -r pid rest </proc/self/stat # of the namespace outside, which is still what is mounted there

mount -t tmpfs -o mode=755 tmpfs scratch
overlay .

# What these folders hold here is no business of a test's.
for folder in root srv mnt opt tmp run home var/tmp var/backups var/log etc/influxdb; do
    mkdir -p root/$folder
    mount -t tmpfs -o mode=755 tmpfs root/$folder
done
chmod 1777 root/tmp root/var/tmp

mount -t tmpfs -o mode=755 tmpfs root/dev
for name in null zero full random urandom tty fuse; do
    touch root/dev/$name
    mount --bind /dev/$name root/dev/$name
done
mkdir root/dev/pts root/dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts root/dev/pts
ln -s pts/ptmx root/dev/ptmx
ln -s /proc/self/fd root/dev/fd
mount -t proc proc root/proc

# The store lies on a disk, as it would: not every file system takes an overlay's upper layer.
mkdir -p root/var/lib/influxdb
mount --bind disk root/var/lib/influxdb

hostname "$2"
ip link set lo up
mkdir root/old
cd root
pivot_root . old
echo "$pid" >"old/$1/pid.part"
mv "old/$1/pid.part" "old/$1/pid"
umount -l /old
cd /
# A shell that waits also reaps whatever is left to process 1.
while :; do
    sleep 1000 &
    wait
done
